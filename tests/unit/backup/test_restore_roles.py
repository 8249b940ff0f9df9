"""The roles that statements of a dump name, and other roles put in their place."""

from __future__ import annotations

import pytest
from stewardd.backup.restoring.roles import replaced, roles_of
from stewardd.backup.restoring.table_of_contents import TocEntry


def entry(kind: str, definition: str, owner: str = "") -> TocEntry:
    return TocEntry(1, 1259, 5, "t", kind, "public", owner, definition, (), "")


@pytest.mark.parametrize(
    ("kind", "definition", "roles"),
    [
        ("ACL", "GRANT SELECT ON TABLE public.t TO reader;\n", {"reader"}),
        ("ACL", 'GRANT ALL ON TABLE public."TO x" TO "Odd ""one""" WITH GRANT OPTION;', {'Odd "one"'}),
        ("ACL", "REVOKE ALL ON SCHEMA public FROM PUBLIC;\nGRANT USAGE ON SCHEMA public TO app;", {"app"}),
        ("ACL", "REVOKE GRANT OPTION FOR SELECT ON TABLE t FROM a;", {"a"}),
        ("ACL", "GRANT EXECUTE ON FUNCTION public.f(a text, \"to\" text) TO Writer;", {"writer"}),
        (
            "ACL",
            "SET SESSION AUTHORIZATION giver;\nGRANT SELECT(a),UPDATE(b) ON t TO taker;\nRESET SESSION AUTHORIZATION;",
            {"giver", "taker"},
        ),
        (
            "DEFAULT ACL",
            "ALTER DEFAULT PRIVILEGES FOR ROLE maker REVOKE ALL ON TABLES FROM PUBLIC;\n"  # noqa: ISC004
            "ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA s GRANT SELECT ON TABLES TO reader;",
            {"maker", "reader"},
        ),
        (
            "POLICY",
            "CREATE POLICY p ON public.t AS RESTRICTIVE FOR SELECT TO a, \"B c\" USING ((x = 'TO d'::text));",
            {"a", "B c"},
        ),
        ("POLICY", "CREATE POLICY p ON public.t USING ((role_of(x) = 'TO nobody'::text));", set()),
        ("POLICY", "CREATE POLICY p ON public.t TO CURRENT_USER USING (true);", set()),
        ("USER MAPPING", "CREATE USER MAPPING FOR joe SERVER s OPTIONS (\"user\" 'TO x');", {"joe"}),
        ("FUNCTION", "CREATE FUNCTION f() AS 'GRANT SELECT ON t TO nobody;';", set()),
    ],
)  # fmt: skip
def test_the_roles_of_a_statement(kind, definition, roles):
    assert roles_of([entry(kind, definition)]) == roles
    mapped = replaced(kind, definition, {each: f"new {each}" for each in roles})
    assert roles_of([entry(kind, mapped)]) == {f"new {each}" for each in roles}
    back = replaced(kind, mapped, {f"new {each}": each for each in roles})
    assert roles_of([entry(kind, back)]) == roles


def test_owners_count_unless_they_are_left_out():
    entries = [
        entry("TABLE", "", owner="maker"),
        entry("ACL", "GRANT SELECT ON TABLE t TO reader;"),
        entry("POLICY", "CREATE POLICY p ON t TO a;"),
    ]
    assert roles_of(entries) == {"maker", "reader", "a"}
    assert roles_of(entries, with_owners=False) == {"a"}


def test_a_role_that_is_not_mapped_stays_as_it_is_written():
    definition = 'GRANT SELECT ON TABLE t TO a;\nGRANT SELECT ON TABLE t TO "A";'
    assert replaced("ACL", definition, {"A": "b c"}) == (
        'GRANT SELECT ON TABLE t TO a;\nGRANT SELECT ON TABLE t TO "b c";'
    )
