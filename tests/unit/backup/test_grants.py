"""Grants are compared by role, where roles were mapped, left out, or had rights before."""

from __future__ import annotations

from typing import Any

from stewardd.backup.verifying.grants import with_granted, with_other_roles
from stewardd.postgres.catalogue.comparing import compare
from stewardd.postgres.catalogue.reading import DatabaseCatalogue

TABLE = ("table", "public.t")
DEFAULTS = ("default grants", "a  r")


def table(*grants: str) -> DatabaseCatalogue:
    return DatabaseCatalogue(18, {TABLE: {"kind": "r", "grants": list(grants) or None}})


def differs(
    wanted: DatabaseCatalogue,
    found: DatabaseCatalogue,
    *,
    compared: bool = True,
    others: frozenset[str] = frozenset(),
    may_have_more: bool = False,
) -> bool:
    both = with_granted(
        wanted, found, compared=compared, others=others, may_have_more=may_have_more
    )
    return bool(compare(*both))


def test_a_grant_too_few_or_too_many_is_a_difference():
    wanted = table("a: INSERT, SELECT", "b: SELECT*")
    assert not differs(wanted, wanted)
    assert differs(wanted, table("a: INSERT, SELECT"))
    assert differs(wanted, table("a: INSERT, SELECT", "b: SELECT"))
    assert differs(wanted, table("a: INSERT, SELECT", "b: SELECT*", "c: SELECT"))


def test_where_something_was_there_before_only_what_is_missing_is_one():
    wanted = table("a: SELECT")
    assert not differs(wanted, table("a: INSERT, SELECT", "c: SELECT"), may_have_more=True)
    assert differs(wanted, table("a: INSERT", "c: SELECT"), may_have_more=True)
    assert differs(wanted, table(), may_have_more=True)
    assert not differs(table(), table("c: SELECT"), may_have_more=True)


def test_grants_that_are_left_out_and_those_of_other_roles_are_none():
    assert not differs(table("a: SELECT"), table(), compared=False)
    assert not differs(table("a: SELECT", "b: SELECT"), table("b: SELECT"), others=frozenset({"a"}))
    assert differs(table("a: SELECT", "b: SELECT"), table(), others=frozenset({"a"}))


def defaults(role: str, grant: str) -> dict[Any, Any]:
    return {("default grants", f"{role}  r"): {"grants": [grant]}}


def test_mapped_roles_take_the_place_of_others():
    policy = ("policy", "public.t.own")
    found = with_other_roles(
        DatabaseCatalogue(
            18,
            {
                TABLE: {"grants": ["a: SELECT", "od: d: INSERT"]},
                policy: {"roles": ["a", "b"]},
                **defaults("b", "c=r/b"),
                **defaults("c", '"o ""d"=r/c'),
            },
        ),
        {"a": "z", "od: d": "b", 'o "d': "b"},
    )
    assert dict(found.objects) == {
        TABLE: {"grants": ["b: INSERT", "z: SELECT"]},
        policy: {"roles": ["b", "z"]},
        **defaults("b", "c=r/b"),
    }
