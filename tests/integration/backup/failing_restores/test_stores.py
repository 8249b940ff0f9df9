"""Stores and backups that go away in the middle of a restore: it says so, leaves nothing, and the next one is made."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from stewardd.backup.manifest.backup import DumpForm
from stewardd.backup.restoring.documents import RestoreStanding
from stewardd.backup.restoring.request import RestoreMode
from stewardd.backup.restoring.unfinished import (
    UnfinishedRestore,
    UnfinishedRestores,
    comment_of,
    first_name_of,
)
from stewardd.errors import (
    BackupDeleted,
    BackupNotFound,
    RepositoryDown,
    RestoreDiffers,
    RestoreInProgress,
)
from stewardd.repository.backend.all import open_store
from stewardd.repository.identifiers import folder_of

from tests.support.backups import Keeper
from tests.support.failing_restores import (
    PAUSE_S,
    ROWS,
    WORKER,
    count,
    daemon,
    no_report,
    request_of,
    restored,
    sampled,
)
from tests.support.sql import databases, rows, run
from tests.support.stored_backup import objects

MODES = pytest.mark.parametrize(
    "mode", sampled([RestoreMode.NEW_DATABASE, RestoreMode.IN_PLACE]), ids=str
)


@pytest.mark.parametrize("form", sampled(list(DumpForm)), ids=str)
async def test_a_slow_store_makes_a_restore_slow_and_no_less_whole(here, far, live, proxy, form):
    proxy.delay_s, proxy.pause_s = 0.02, 0.002
    made = await here.restores.run(request_of(far, form), "", no_report)
    assert count(live.with_parameters(dbname=made.target)) == ROWS


@pytest.mark.parametrize(
    ("form", "mode"),
    sampled(
        [
            pytest.param(DumpForm.CUSTOM, RestoreMode.IN_PLACE, id="in place"),
            pytest.param(DumpForm.CUSTOM, RestoreMode.SWAP, id="swap"),
            pytest.param(DumpForm.DIRECTORY, RestoreMode.NEW_DATABASE, id="new"),
        ]
    ),
)
async def test_a_store_that_goes_away_fails_the_restore_and_the_next_one_is_made_when_it_is_back(
    here, far, live, proxy, form, mode
):
    def leave() -> None:
        proxy.refuse()
        proxy.reset()

    request, before = request_of(far, form, mode), databases(live)
    proxy.pause_s = PAUSE_S[form]
    with pytest.raises(RepositoryDown):
        await restored(here, request, live, leave)
    proxy.pause_s = 0.0
    here.assert_nothing_is_left()
    assert databases(live) == before
    assert count(live) == ROWS + 1
    proxy.accept()
    await here.restores.clear()
    assert await UnfinishedRestores(here.store).all() == {}
    confirm = live.database if request.replaces_live else ""
    made = await here.restores.run(request, confirm, no_report)
    assert count(live.with_parameters(dbname=made.target)) == ROWS


async def test_a_restore_that_is_made_is_made_although_the_store_is_gone_at_its_end(
    here, far, live, proxy
):
    def leave_at_the_end(standing: RestoreStanding) -> None:
        if standing.stage.value == "SWAPPING":
            proxy.refuse()
            proxy.reset()

    request = request_of(far, DumpForm.CUSTOM, RestoreMode.SWAP)
    made = await here.restores.run(request, live.database, leave_at_the_end)
    assert (count(live), count(live.with_parameters(dbname=made.kept))) == (ROWS, ROWS + 1)
    proxy.accept()
    await here.restores.clear()
    assert {live.database, made.kept} <= databases(live)
    assert await UnfinishedRestores(here.store).all() == {}


@MODES
async def test_a_backup_that_is_purged_meanwhile_is_named_and_nothing_is_left(
    here, far, live, proxy, s3, mode
):
    request, before = request_of(far, DumpForm.CUSTOM, mode), databases(live)
    store = open_store(far.url, s3.options)
    keeper = Keeper(store)
    keeper.now = datetime.now(UTC)
    whole = await objects(store, request.backup_id)

    async def purge() -> None:
        await keeper.deletion.delete(request.backup_id, "mia")
        keeper.now += timedelta(days=9)
        assert await keeper.deletion.purge() == [request.backup_id]

    proxy.pause_s = 0.02
    try:
        with pytest.raises(BackupNotFound, match="was deleted meanwhile"):
            await restored(here, request, live, purge, WORKER)
    finally:
        for name, body in whole.items():  # the other tests need it
            await store.put(f"{folder_of('backups', request.backup_id)}/{name}", body)
    here.assert_nothing_is_left()
    assert databases(live) == before
    assert count(live) == ROWS + 1


async def test_a_backup_that_is_deleted_is_refused_before_anything_begins(here, far, live):
    request, before = request_of(far, DumpForm.CUSTOM), databases(live)
    deletion = Keeper(here.store).deletion
    await deletion.delete(request.backup_id, "mia")
    try:
        with pytest.raises(BackupDeleted):
            await here.restores.run(request, "", no_report)
    finally:
        await deletion.undelete(request.backup_id, "mia")
    assert databases(live) == before


async def test_of_two_daemons_that_restore_into_one_database_one_does(here, far, live, s3, folder):
    request = replace(request_of(far, DumpForm.CUSTOM), new_database=f"once_{secrets.token_hex(4)}")
    async with daemon(far, s3.options, live, folder) as other:

        async def restore_too() -> None:
            with pytest.raises(RestoreInProgress, match=request.new_database):
                await other.restores.run(request, "", no_report)

        await restored(here, request, live, restore_too)
    assert count(live.with_parameters(dbname=request.new_database)) == ROWS


async def test_what_fails_in_a_database_that_was_there_says_that_it_is_not_empty_any_more(
    here, far, live
):
    name = f"ready_{secrets.token_hex(4)}"
    run(live, f'CREATE DATABASE "{name}" TEMPLATE template0')
    there = live.with_parameters(dbname=name)

    def spoil(standing: RestoreStanding) -> None:
        if standing.stage.value == "COMPARING":
            run(there, "DELETE FROM t0 WHERE n = 3")

    request = replace(request_of(far, DumpForm.CUSTOM), new_database=name)
    with pytest.raises(RestoreDiffers, match=f"{ROWS - 1} rows") as refused:
        await here.restores.run(request, "", spoil)
    assert f"what was restored is left in {name!r}" in refused.value.hint
    assert count(there) == ROWS - 1
    assert await UnfinishedRestores(here.store).all() == {}


async def test_what_a_dead_daemon_made_on_another_server_is_left_to_who_knows_that_one(here, live):
    unfinished = UnfinishedRestores(here.store)
    left = UnfinishedRestore(datetime.now(UTC), "main", "new", server="another")
    token = await unfinished.begin(left)
    await here.restores.clear()
    assert await unfinished.all() == {token: left}
    await unfinished.end(token)


async def test_what_a_dead_daemon_made_is_removed_and_what_others_made_is_not(here, live):
    mine, others, owner = (f"role_{secrets.token_hex(4)}" for _ in range(3))
    roles, before = (mine, others, owner), databases(live)
    unfinished = UnfinishedRestores(here.store)
    token = await unfinished.begin(UnfinishedRestore(datetime.now(UTC), "main", "new", roles))
    await here.store.put("unfinished-restores/019aabcd-0000-7000-8000-000000000000.json", b"{}")
    run(
        live,
        f"CREATE ROLE {mine}; CREATE ROLE {others}; CREATE ROLE {owner}",
        f"COMMENT ON ROLE {mine} IS '{comment_of(token)}'",
        f"COMMENT ON ROLE {owner} IS '{comment_of(token)}'",
        f"ALTER TABLE t1 OWNER TO {owner}",
        f'CREATE DATABASE "{first_name_of(token)}"',
    )
    try:
        await here.restores.clear()
        left = rows(live, f"SELECT rolname FROM pg_roles WHERE rolname IN {roles}")
        assert {name for (name,) in left} == {others, owner}
        assert databases(live) == before
        assert await unfinished.all() == {}
    finally:
        run(live, "ALTER TABLE t1 OWNER TO CURRENT_USER", f"DROP ROLE {others}, {owner}")
