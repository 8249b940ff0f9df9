"""`steward backup restore`, as somebody runs it: what it sends, what it shows, how it ends."""

import json
from pathlib import Path

import pytest
from steward.v1 import backup_pb2

from tests.unit.client.on_a_daemon.noted import NotedProxy, connect


@pytest.fixture
def server(databases: NotedProxy) -> NotedProxy:
    return databases


@pytest.fixture(scope="module")
def made(databases_served, daemon) -> str:
    """The name of a backup of `main`; its server also has a database `full_one`, which is not empty."""
    with connect(daemon, autocommit=True) as connection:
        connection.execute("CREATE DATABASE full_one")
    with connect(daemon, "full_one") as connection:
        connection.execute("CREATE TABLE something (n int)")
    with NotedProxy(databases_served) as proxy:
        return str(proxy.client.create_backup("main").result(timeout_s=120).name)


def restores(server):
    return server.of(backup_pb2.RestoreBackupRequest)


def test_a_backup_comes_back_in_a_new_database(steward, server, made):
    done = steward("backup", "restore", made, "--new-database", "by_the_command")
    assert done.returncode == 0, done.stderr
    assert "by_the_command" in done.stdout
    listed = steward("operation", "list").stdout
    assert "restored into by_the_command" in listed
    again = steward("backup", "restore", made, "--new-database", "full_one", "--output", "json")
    assert again.returncode == 3
    assert json.loads(again.stdout)["error"]["reason"] == "TARGET_NOT_EMPTY"


def test_every_option_of_a_restore_is_sent(steward, server, made):
    refused = steward(
        "backup", "restore", made, "--database", "main", "--new-database", "new", "--schema", "a", "--table",
        "x.y", "--jobs", "3", "--create-roles", "--map-role", "a=b", "--map-role", "c d=e", "--end-sessions",
        "--repository", "second", "--accept-unknown-signer", "--confirm", "new", "--request-id", "r1",
    )  # fmt: skip
    assert "NO_SECOND_REPOSITORY" in refused.stderr
    (sent,) = restores(server)
    spec = sent.restore
    assert (spec.backup, spec.database, spec.new_database) == (made, "main", "new")
    assert spec.mode == backup_pb2.RESTORE_MODE_NEW_DATABASE
    assert (list(spec.selection.schemas), list(spec.selection.tables)) == (["a"], ["x.y"])
    assert (spec.jobs, spec.roles) == (3, backup_pb2.RESTORE_ROLES_CREATE)
    assert dict(spec.role_map) == {"a": "b", "c d": "e"}
    assert (spec.end_sessions, spec.repository, spec.accept_unknown_signer) == (
        True,
        backup_pb2.BACKUP_REPOSITORY_SECOND,
        True,
    )
    assert (sent.confirm, sent.request_id) == ("new", "r1")


@pytest.mark.parametrize(
    ("option", "mode"),
    [("--swap", backup_pb2.RESTORE_MODE_SWAP), ("--in-place", backup_pb2.RESTORE_MODE_IN_PLACE)],
)
def test_what_replaces_the_live_database_needs_its_name(steward, server, made, option, mode):
    refused = steward("backup", "restore", made, option, "--confirm", "main")
    assert refused.returncode == 3
    assert "'steward' would be replaced" in refused.stderr
    assert [(each.restore.mode, each.confirm) for each in restores(server)] == [(mode, "main")]


@pytest.fixture
def dump_file(databases_served) -> Path:
    """A plain dump that somebody has put into the daemon's inbox."""
    inbox: Path = databases_served.data_dir.parent / "dumps"
    inbox.mkdir(exist_ok=True)
    path = inbox / "with blanks.sql"
    path.write_text("CREATE TABLE public.from_file (a int);\n")
    return path


def test_a_dump_of_others_comes_back_where_nobody_needs_to_have_signed_it(
    steward, server, dump_file
):
    words = ("backup", "restore", "--file", str(dump_file), "--database", "main")
    shown = steward(*words, "--plan")
    assert shown.returncode == 1
    assert "[SIGNER_UNKNOWN]" in shown.stdout
    assert "not proven: nobody has signed the file" in shown.stdout
    done = steward(*words, "--new-database", "by_file", "--accept-unknown-signer")
    assert done.returncode == 0, done.stderr
    assert "not proven: its SQL runs as" in done.stdout
    (sent,) = restores(server)
    assert sent.restore.dump_uri == dump_file.as_uri()
    assert sent.restore.backup == ""
    again = steward(
        *words, "--new-database", "by_uri", "--accept-unknown-signer", "--output", "json"
    )
    made = json.loads(again.stdout)
    assert (made["target_database"], made["backup"]) == ("by_uri", "")
    assert (made["dump_file"]["form"], made["dump_file"]["packing"]) == ("sql", "none")
    assert len(made["dump_file"]["sha256"]) == 64
    listed = steward("operation", "list", "--output", "json").stdout
    assert f'"dump_uri": "{dump_file.as_uri()}"' in listed
    elsewhere = steward("backup", "restore", "--file", "/etc/passwd", "--accept-unknown-signer")
    assert "URI_REFUSED" in elsewhere.stderr


def test_a_plan_names_what_stands_in_its_way_and_ends_with_1(steward, server, made):
    shown = steward("backup", "restore", made, "--swap", "--new-database", "full_one", "--plan")
    assert shown.returncode == 1
    assert "in its way: the server has a database 'full_one', and it is not empty" in shown.stdout
    assert "[TARGET_NOT_EMPTY]" in shown.stdout
    assert "confirm with" in shown.stdout
    assert not restores(server)
    words = ("backup", "restore", made, "--plan", "--output", "json")
    found = json.loads(steward(*words).stdout)
    assert (found["mode"], found["live_database"]) == ("new_database", "steward")
    assert found["blockers"] == []


def test_a_restore_that_is_not_waited_for_is_shown_as_an_operation(steward, server, made):
    words = ("backup", "restore", made, "--new-database", "not_waited_for", "--no-wait")
    begun = json.loads(steward(*words, "--output", "json").stdout)
    assert begun["progress"]["target_database"] == "not_waited_for"
    assert server.client.wait_operation(begun["name"], timeout_s=120).state.error is None


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("backups/0", "--file", "/srv/dumps/a.sql"),
        ("backups/0", "--swap", "--in-place"),
        ("backups/0", "--create-roles", "--no-roles"),
        ("backups/0", "--map-role", "alone"),
        ("backups/0", "--map-role", "a="),
    ],
)
def test_what_contradicts_itself_is_a_wrong_command_line(steward, server, arguments):
    assert steward("backup", "restore", *arguments).returncode == 2
    assert not restores(server)
