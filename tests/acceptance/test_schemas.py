"""Schemas of one's own at start: what in them has no effect is warned of, what cannot be meant is refused."""

import json

import pytest
from steward_client import Client, Member, SchemaKind
from steward_client.errors import InvalidRequest

from tests.acceptance.conftest import NO_DATABASE
from tests.acceptance.test_starts import refused_start
from tests.support.command import steward_of
from tests.support.daemon import Daemon

SCHEMA = {
    "properties": {
        "id": {"type": "string", "format": "isbn"},
        "note": {"type": "string", "x-origin": "the clinic", "sortable": True},
    },
    "required": ["id"],
}
WARNINGS = (
    "the format isbn is unknown and checks nothing (at /properties/id/format)",
    "the keyword sortable is unknown and checks nothing (at /properties/note/sortable)",
)


@pytest.fixture
def schemas(folder):
    (folder / "schemas" / "csv" / "visit").mkdir(parents=True)
    (folder / "steward.toml").write_text(
        f'[validation]\nschema_dirs = ["{folder}/schemas"]\n[postgres.databases.away]\n'
        'url = "postgresql://nobody@127.0.0.1:1/nothing"\n'
    )
    return folder / "schemas"


def write(schemas, document):
    path = schemas / "csv" / "visit" / "1.0.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_what_has_no_effect_is_warned_of_at_start_and_where_the_schema_is_shown(folder, schemas):
    path = write(schemas, SCHEMA)
    with Daemon(
        folder / "data", "--config", str(folder / "steward.toml"), environment=NO_DATABASE
    ) as daemon:
        told = daemon.events("part of a schema has no effect")
        assert [each["warning"] for each in told] == list(WARNINGS)
        assert {each["path"] for each in told} == {str(path)}
        with Client(daemon.address) as client:
            assert client.get_schema("visit").warnings == WARNINGS
            assert client.get_schema("language_session").warnings == ()
        shown = steward_of(daemon, "schema", "show", "visit")
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.splitlines()[0] == "visit 1.0", "no date is told where none is given"
        lines = [line for line in shown.stdout.splitlines() if line.startswith("warning: ")]
        assert lines == [f"warning: {each}" for each in WARNINGS]


def test_files_that_are_no_schemas_are_named_at_start(folder, schemas):
    write(schemas, {"properties": {"id": True}})
    strays = ["visit.json", "csv/visit.json", "csv/visit/1.0.yaml", "xml/visit/1.0.json"]
    for name in strays:
        (schemas / name).parent.mkdir(parents=True, exist_ok=True)
        (schemas / name).write_text("{}")
    (schemas / ".git").mkdir()
    (schemas / ".git" / "config").write_text("")
    with Daemon(
        folder / "data", "--config", str(folder / "steward.toml"), environment=NO_DATABASE
    ) as daemon:
        told = daemon.events("file in a schema folder is not read")
        assert {each["path"] for each in told} == {str(schemas / name) for name in strays}
        assert {each["expected"] for each in told} == {
            " or ".join(f"{kind}/<name>/<version>.json" for kind in ("csv", "json", "event"))
        }
        with Client(daemon.address) as client:
            assert [each.name for each in client.list_schemas() if "visit" in each.name] == [
                "schemas/visit/versions/1.0"
            ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"properties": {"id": True}, "requried": ["id"]}, "required"),
        ({"properties": {"id": {"minLenght": 1}}}, "minLength"),
        ({"properties": {"id": {"x-steward-pi": True}}}, "x-steward-pi"),
        ('{"properties": {"id": true, "id": {"x-steward-pii": true}}}', "twice"),
        ({"properties": {"id": {"$ref": "#/$defs/none"}}}, "reference"),
    ],
)
def test_a_schema_that_cannot_be_meant_so_is_refused_with_its_file_and_place(
    folder, schemas, document, said
):
    path = write(schemas, document)
    told = refused_start(
        "--data-dir", str(folder / "data"), "--config", str(folder / "steward.toml")
    )
    assert str(path) in told
    assert said in told


def test_a_payload_schema_is_served_beside_those_of_rows(folder, schemas):
    document = {"required": ["id"], "properties": {"id": {"type": "string", "x-steward-pii": True}}}
    for name, version in (
        ("visit_event", "1.0"),
        ("visit_event", "1.10"),
        ("ecornell_webhook", "1.1"),
    ):
        path = schemas / "json" / name / f"{version}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    with (
        Daemon(
            folder / "data", "--config", str(folder / "steward.toml"), environment=NO_DATABASE
        ) as daemon,
        Client(daemon.address) as client,
    ):
        rows = [each.name for each in client.list_schemas(kind="csv", page_size=1)]
        payloads = [each.name for each in client.list_schemas(kind="payload", page_size=2)]
        events = [each.name for each in client.list_schemas(kind="event")]
        assert events == ["schemas/learning_event/versions/1.0"]
        assert sorted(rows + payloads + events) == sorted(
            each.name for each in client.list_schemas()
        )
        assert "schemas/mentorship_session/versions/1.0" in rows
        assert payloads.index("schemas/visit_event/versions/1.0") == len(payloads) - 2
        assert payloads.count("schemas/ecornell_webhook/versions/1.1") == 1
        assert len(payloads) == 9 + 3
        found = client.get_schema("visit_event")
        assert found.name == "schemas/visit_event/versions/1.10"
        assert found.kind is SchemaKind.PAYLOAD
        assert found.columns == ()
        assert found.members == (Member("/id", required=True, pii=True),)
        assert json.loads(found.document) == document
        assert client.get_schema("language_session").kind is SchemaKind.CSV
        with pytest.raises(InvalidRequest) as refused:
            list(client.list_schemas(kind="xml"))
        assert refused.value.reason == "SCHEMA_KIND_UNKNOWN"
        with pytest.raises(InvalidRequest) as refused:
            client.validate_file(b"id\n1\n", schema="visit_event")
        assert refused.value.reason == "SCHEMA_UNKNOWN"


def test_rows_and_payloads_share_one_space_of_names(folder, schemas):
    write(schemas, {"properties": {"id": True}})
    path = schemas / "json" / "visit" / "2.0.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    told = refused_start(
        "--data-dir", str(folder / "data"), "--config", str(folder / "steward.toml")
    )
    assert f"{path}: visit is the name of a csv schema already" in told
    assert str(schemas / "csv" / "visit" / "1.0.json") in told


def test_a_payload_schema_that_does_not_compile_is_refused_with_its_file(folder, schemas):
    path = schemas / "json" / "visit_event" / "1.0.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"properties": {"id": {"minLenght": 1}}}')
    told = refused_start(
        "--data-dir", str(folder / "data"), "--config", str(folder / "steward.toml")
    )
    assert str(path) in told
    assert "minLength" in told
