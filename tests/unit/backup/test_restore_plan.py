"""What a restore would do and what stands in its way, for every kind of request, backup and server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from stewardd.backup.manifest.backup import select
from stewardd.backup.restoring.plan import DumpFacts, RestorePlan, make_plan
from stewardd.backup.restoring.request import RestoreMode, RestoreRequest, RestoreRoles
from stewardd.errors import ConfirmationDiffers, InvalidRequest, SignerUnknown
from stewardd.postgres.restoring.facts import ServerDatabase, ServerFacts

ID = "019a7c3e-5b2a-7000-8000-000000000000"
NOW = datetime(2026, 11, 30, 12, 5, 7, tzinfo=UTC)
REQUEST = RestoreRequest(backup_id=ID, database="main")
DUMP = DumpFacts(
    backup_id=ID,
    source_version="17.2",
    database_size_bytes=1000,
    roles=frozenset({"app", "reader"}),
    extensions=frozenset({"plpgsql", "pgcrypto"}),
)
SERVER = ServerFacts(
    version="18.6",
    major=18,
    in_recovery=False,
    user="steward",
    is_superuser=False,
    may_create_databases=True,
    may_create_roles=False,
    databases={
        "app": ServerDatabase("app", 1000, 2),
        "full": ServerDatabase("app", 1000, 0),
        "ready": ServerDatabase("app", 0, 0),
    },
    roles=frozenset({"app", "reader"}),
    extensions=frozenset({"pgcrypto"}),
    free_bytes=5000,
)


def planned(
    request: RestoreRequest = REQUEST, dump: DumpFacts = DUMP, server: ServerFacts = SERVER
) -> RestorePlan:
    return make_plan(
        request,
        "main",
        "app",
        dump,
        server,
        now=NOW,
        tool_version="18.6",
        empty_databases=frozenset({"ready"}),
        reserve_bytes=100,
    )


def reasons(plan: RestorePlan) -> list[str]:
    return [each.reason for each in plan.blockers]


def test_a_new_database_is_named_after_the_live_one_and_nothing_stands_in_its_way():
    plan = planned()
    assert (plan.target, plan.kept) == ("app_restored_20261130_120507", "")
    assert (plan.confirmation, plan.sessions, reasons(plan)) == ("", 2, [])
    plan.check("")


def test_of_two_restores_in_one_second_each_gets_a_name_of_its_own():
    taken = {"app_restored_20261130_120507", "app_before_20261130_120507"}
    there = SERVER.databases | dict.fromkeys(taken, ServerDatabase("app", 1000, 0))
    server = replace(SERVER, databases=there)
    plan = planned(replace(REQUEST, mode=RestoreMode.SWAP, ends_sessions=True), server=server)
    assert (plan.target, plan.kept) == (
        "app_restored_20261130_120507_2",
        "app_before_20261130_120507_2",
    )
    assert reasons(plan) == []


def test_a_name_is_never_longer_than_postgresql_takes():
    long = make_plan(REQUEST, "main", "ž" * 31, DUMP, SERVER, now=NOW, tool_version="")
    assert len(long.target.encode()) <= 63
    assert long.target.endswith("_restored_20261130_120507")


@pytest.mark.parametrize(
    ("changes", "dump", "server", "reason"),
    [
        ({}, {"is_deleted": True}, {}, "BACKUP_DELETED"),
        ({}, {"refusal": SignerUnknown("signed by nobody")}, {}, "SIGNER_UNKNOWN"),
        ({}, {}, {"in_recovery": True}, "DATABASE_STANDBY"),
        ({}, {"source_version": "19beta1"}, {}, "SERVER_TOO_OLD"),
        ({"new_database": "app"}, {}, {}, "TARGET_IS_SOURCE"),
        ({"new_database": "full"}, {}, {}, "TARGET_NOT_EMPTY"),
        ({}, {}, {"may_create_databases": False}, "DATABASE_REFUSED"),
        ({}, {"roles": frozenset({"app", "gone"})}, {}, "ROLES_MISSING"),
        ({"role_map": {"reader": "gone"}}, {}, {}, "ROLES_MISSING"),
        (
            {"roles": RestoreRoles.IGNORE},
            {"roles": frozenset({"of a policy"})},
            {},
            "ROLES_MISSING",
        ),
        (
            {"roles": RestoreRoles.CREATE},
            {"roles": frozenset({"gone"})},
            {},
            "DATABASE_REFUSED",
        ),
        ({}, {"extensions": frozenset({"postgis"})}, {}, "EXTENSIONS_MISSING"),
        ({"mode": RestoreMode.SWAP}, {}, {}, "DATABASE_IN_USE"),
        ({"mode": RestoreMode.IN_PLACE}, {}, {"databases": {}}, "DATABASE_REFUSED"),
        ({}, {"database_size_bytes": 4901}, {}, "STORAGE_FULL"),
    ],
)
def test_each_thing_that_stands_in_the_way_has_its_name(changes, dump, server, reason):
    plan = planned(replace(REQUEST, **changes), replace(DUMP, **dump), replace(SERVER, **server))
    assert reasons(plan) == [reason]
    with pytest.raises(type(plan.blockers[0])):
        plan.check(plan.confirmation)


@pytest.mark.parametrize(
    ("changes", "dump", "server"),
    [
        ({"new_database": "ready"}, {}, {"may_create_databases": False}),
        ({"mode": RestoreMode.IN_PLACE}, {}, {}),
        ({"mode": RestoreMode.SWAP, "ends_sessions": True}, {}, {}),
        ({"role_map": {"gone": "app"}}, {"roles": frozenset({"gone"})}, {}),
        (
            {"roles": RestoreRoles.CREATE},
            {"roles": frozenset({"gone"})},
            {"may_create_roles": True},
        ),
        ({"new_database": "app"}, {}, {"databases": {}}),
        ({}, {"database_size_bytes": 4900}, {}),
        ({}, {"database_size_bytes": 1 << 60}, {"free_bytes": None}),
    ],
)
def test_what_is_asked_for_or_not_known_stands_in_no_way(changes, dump, server):
    plan = planned(replace(REQUEST, **changes), replace(DUMP, **dump), replace(SERVER, **server))
    assert reasons(plan) == []


def test_the_live_database_is_replaced_only_by_who_repeats_its_name():
    swap = planned(replace(REQUEST, mode=RestoreMode.SWAP, ends_sessions=True))
    assert (swap.confirmation, swap.kept) == ("app", "app_before_20261130_120507")
    swap.check("app")
    for wrong in ("", "App", "app ", "main"):
        with pytest.raises(ConfirmationDiffers):
            swap.check(wrong)
    with pytest.raises(ConfirmationDiffers, match="nothing is replaced"):
        planned().check("app")


def test_a_wrong_confirmation_is_told_before_anything_else_that_stands_in_the_way():
    with pytest.raises(ConfirmationDiffers):
        planned(replace(REQUEST, mode=RestoreMode.SWAP)).check("other")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"backup_id": ""}, "backup"),
        ({"selection": select(exclude_schemas=["s"])}, "selection"),
        ({"selection": select(tables=["no schema"])}, "selection.tables"),
        ({"selection": select(tables=["s.t"]), "mode": RestoreMode.SWAP}, "selection"),
        ({"jobs": 65}, "jobs"),
        ({"jobs": -1}, "jobs"),
        ({"mode": RestoreMode.IN_PLACE, "new_database": "x"}, "new_database"),
        ({"new_database": "x" * 64}, "new_database"),
        ({"new_database": "a\0b"}, "new_database"),
        ({"role_map": {"a": ""}}, "role_map"),
        ({"role_map": {"a": "b"}, "roles": RestoreRoles.IGNORE}, "role_map"),
    ],
)
def test_what_contradicts_itself_is_refused_by_its_field(changes: dict[str, Any], field: str):
    with pytest.raises(InvalidRequest) as refused:
        replace(REQUEST, **changes).check()
    assert refused.value.field == field


def test_tools_whose_pg_restore_ends_the_transaction_in_place_are_refused_before_anything_begins():
    dump = replace(DUMP, source_version="15.18")
    older = replace(SERVER, version="15.18", major=15)
    in_place = replace(REQUEST, mode=RestoreMode.IN_PLACE)
    (blocker,) = planned(in_place, dump, older).blockers
    assert blocker.reason == "TOOL_MISSING"
    assert "client tools older than 17" in blocker.message
    assert "SWAP" in (blocker.hint or "")
    assert planned(in_place, dump).blockers == ()
    assert (
        planned(replace(in_place, mode=RestoreMode.SWAP, ends_sessions=True), dump, older).blockers
        == ()
    )
