"""The members of a payload schema: every place that it names, wherever it names it, and what is personal data there."""

import json
from pathlib import Path

import pytest
from stewardd.schemas.members import MAX_MEMBERS, Member, members_of

SCHEMAS = Path(__file__).parents[3] / "schemas" / "json"


def members(**document):
    return {each.pointer: each for each in members_of(json.dumps(document))}


def test_members_of_members_are_named_by_their_pointers():
    found = members(
        required=["user"],
        properties={"user": {"required": ["id"], "properties": {"id": True, "a/b~c": {}}}},
    )
    assert list(found) == ["/user", "/user/id", "/user/a~1b~0c"]
    assert found["/user"].required
    assert found["/user/id"].required
    assert not found["/user/a~1b~0c"].required


@pytest.mark.parametrize(
    "document",
    [
        {"allOf": [{"properties": {"a": {"x-steward-pii": True}}}]},
        {"if": True, "then": {"properties": {"a": {"x-steward-pii": True}}}},
        {"if": True, "else": {"properties": {"a": {"x-steward-pii": True}}}},
        {"dependentSchemas": {"b": {"properties": {"a": {"x-steward-pii": True}}}}},
        {"$ref": "#/$defs/x", "$defs": {"x": {"properties": {"a": {"x-steward-pii": True}}}}},
        {"$ref": "#x", "$defs": {"x": {"$anchor": "x", "properties": {"a": {"x-steward-pii": True}}}}},
        {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"x-steward-pii": True}}},
        {"properties": {"a": {"anyOf": [{"type": "null"}, {"x-steward-pii": True}]}}},
    ],
)  # fmt: skip
def test_personal_data_is_found_wherever_the_schema_says_so(document):
    assert members(**document)["/a"].pii


def test_what_only_a_condition_requires_is_not_required():
    then = {"required": ["a"], "properties": {"a": True}}
    assert not members(**{"if": True, "then": then})["/a"].required
    assert members(allOf=[then])["/a"].required


def test_elements_and_unnamed_members_are_named_by_a_star():
    found = members(
        properties={"list": {"items": {"properties": {"mail": {"x-steward-pii": True}}}}},
        additionalProperties={"x-steward-pii": True},
    )
    assert found["/list/*/mail"].pii
    assert found["/*"].pii


def test_a_schema_that_refers_to_itself_ends():
    document = {"properties": {"next": {"$ref": "#"}}}
    found = members_of(json.dumps(document))
    assert Member("/next", False, False) in found
    assert len(found) <= MAX_MEMBERS + 1


def test_every_schema_of_the_platform_has_its_members():
    for path in SCHEMAS.glob("*/*.json"):
        text = path.read_text()
        named = {each.pointer for each in members_of(text)}
        assert {f"/{name}" for name in json.loads(text)["properties"]} <= named
    ecornell = members_of((SCHEMAS / "ecornell_webhook" / "1.0.json").read_text())
    assert {each.pointer for each in ecornell if each.pii} == {
        "/user/email",
        "/user/first_name",
        "/user/last_name",
    }
