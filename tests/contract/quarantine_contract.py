"""The life of quarantined rows and payloads, asked of every backend: a log keeps its promises on a bucket as well."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard
from stewardd.batches.filter import BatchFilter
from stewardd.batches.states import State
from stewardd.errors import RowChanged, RowClosed
from stewardd.quarantine.changing.retry import RetryRequest
from stewardd.quarantine.exporting.export_file import ExportFormat, ExportRequest
from stewardd.quarantine.finding.row_filter import RowFilter
from stewardd.quarantine.removing.data_subject import DataSubject
from stewardd.quarantine.removing.erasure import EraseRequest
from stewardd.quarantine.removing.purge import PurgeRequest
from stewardd.repository.backend.store import Store
from stewardd.repository.log import read_after
from stewardd.repository.sweep import Sweep

from tests.support.quarantine_forms import FORMS
from tests.support.quarantine_world import World, make_world


@pytest.fixture(params=["rows", "payloads"])
async def worlds(
    store: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[World, World]]:
    """Two daemons on the store, once with batches of rows, and once with batches of payloads."""
    async with AsyncExitStack() as stack:
        made = []
        for name in ("one", "two"):
            made.append(await make_world(store, tmp_path, name, FORMS[request.param]))
            stack.push_async_callback(made[-1].close)
        yield made[0], made[1]


async def _report(batches: int, rows: int) -> None:
    """Nobody listens."""


async def keys_below(world: World, batch_id: str, below: str) -> list[str]:
    batch = await world.catalog.get(batch_id)
    return [each.key async for each in world.store.list(f"{batch.folder}/{below}")]


async def test_a_row_is_found_however_far_in_and_pages_end_where_they_should(
    worlds: tuple[World, World],
) -> None:
    world = worlds[0]
    batch = await world.publish(world.form.body(3000, bad_every=1))
    for number in (1, 2, 1499, 2999, 3000):
        assert (await world.listing.get(batch, number)).number == number
    seen: list[int] = []
    token = ""
    while True:
        page = await world.listing.of_batch(batch, RowFilter(keyword="maximum"), 700, token)
        seen += [row.number for row in page.rows]
        token = page.next_page_token
        if not token:
            break
    assert seen == list(range(1, 3001))


async def test_a_sheet_a_retry_a_purge_and_an_erasure_leave_each_row_in_one_state(
    worlds: tuple[World, World],
) -> None:
    world, other = worlds
    batch = await world.publish(world.form.body(2000, bad_every=2))
    await world.corrections.discard(batch, [2, 4], reason="no use")
    table = await world.sheet(batch)
    outcome = await world.resubmit(
        batch, [world.form.edited(row, "0.5") for row in table[:600]] + table[600:]
    )
    assert (outcome.resolved_rows, outcome.unchanged_rows) == (600, 398)
    assert len(await keys_below(world, batch, "changes")) == 2, (
        "a large commit has its data beside it"
    )
    first = await world.exports.create(batch, "importer", include_valid=True)
    retry = RetryRequest(batch, BatchFilter(), None, "maximum", "2.0", False, "")
    assert (await other.retry.run(retry, _report)).resolved_rows == 398
    second = await other.exports.create(batch, "importer", include_valid=True)
    had = [*await other.good(batch, first.identifier), *await world.good(batch, second.identifier)]
    assert sorted(had) == sorted(f"S{n}" for n in range(1, 2001) if n not in (2, 4))
    assert await world.good(batch) == [f"S{n}" for n in range(1, 2001) if n not in (2, 4)]

    soon = datetime.now(UTC) + timedelta(hours=1)
    states = frozenset({State.RESOLVED})
    purge = PurgeRequest(batch, BatchFilter(), states, soon, True, False, "")
    # What the newest export handed out may not have arrived: it stays.
    assert (await world.purge.run(purge, _report)).rows == {State.RESOLVED: 600}
    (archive,) = await keys_below(world, batch, "kept")
    stream = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(await world.store.get(archive)))
    assert len([json.loads(line) for line in stream.read().splitlines()]) == 600
    commits = [await world.store.get(key) for key in await keys_below(world, batch, "log")]
    assert (
        len([each for each in commits if each]) == 1
    )  # empty objects keep the others' numbers taken

    erased = await other.erasure.run(
        EraseRequest(DataSubject("ana4@example.org"), False, ""), "h", _report
    )
    assert (erased.quarantined_rows, erased.archived_rows) == (1, 0)
    for each in worlds:
        now = await each.catalog.get(batch)
        assert (now.resolved_rows, now.discarded_rows, now.open_rows) == (998, 2, 0)
        page = await each.listing.of_batch(batch, RowFilter(), 10, "")
        assert [row.number for row in page.rows] == [2, 4, *range(1206, 1222, 2)]
    everything = [each.key async for each in world.store.list("batches")]
    for key in everything:
        assert b"ana4@" not in await world.store.get(key), key


async def test_a_retry_that_a_purge_overtakes_goes_on_and_an_export_is_whole(
    worlds: tuple[World, World],
) -> None:
    world, other = worlds
    batch = await world.publish(world.form.body(240, bad_every=2))
    await world.corrections.discard(batch, [2, 4], reason="no use")
    rows = ExportRequest(batch, None, ExportFormat.JSON, RowFilter(), False, False)
    opened = await world.exports.open_file(rows)
    soon = datetime.now(UTC) + timedelta(hours=1)
    purge = PurgeRequest(batch, BatchFilter(), frozenset({State.DISCARDED}), soon, False, False, "")
    purged: list[object] = []

    async def overtaken(_batches: int, _rows: int) -> None:
        if not purged:
            purged.append((await other.purge.run(purge, _report)).rows)

    retry = RetryRequest(batch, BatchFilter(), None, "maximum", "2.0", False, "")
    outcome = await world.retry.run(retry, overtaken)
    assert purged == [{State.DISCARDED: 2}]
    assert outcome.resolved_rows == 118
    # The export is whole, as of one moment: before the purge where its rows were read already, else after it.
    chunks = [each async for each in opened.chunks]
    archive = io.BytesIO(b"".join(each for each in chunks if isinstance(each, bytes)))
    with tarfile.open(fileobj=archive) as files:
        names = set(files.getnames())
    purged_names = {"2.json", "4.json"}
    assert len(names - purged_names) == 118
    assert names & purged_names in (set(), purged_names), "never a part of what was purged"


async def test_of_two_daemons_that_correct_one_row_one_wins_and_the_other_is_told(
    worlds: tuple[World, World],
) -> None:
    batch = await worlds[0].publish(worlds[0].form.body(8, bad_every=1))

    async def correct(world: World, number: int, rating: str) -> str:
        try:
            await world.corrections.correct(batch, number, world.form.correction(number, rating))
        except (RowChanged, RowClosed):
            return "told"
        return rating

    for number in range(1, 9):
        pair = await asyncio.gather(
            correct(worlds[0], number, "0.1"), correct(worlds[1], number, "0.2")
        )
        assert sorted(pair)[1] == "told"
        row = await worlds[0].listing.get(batch, number)
        assert len(row.events) == 1
        assert worlds[0].form.rating(row.cells) == min(pair)


async def test_what_a_dead_writer_staged_is_given_up_by_a_commit_and_swept(
    worlds: tuple[World, World], tmp_path: Path
) -> None:
    world, other = worlds
    batch_id = await world.publish(world.form.body(8, bad_every=1))
    batch = await world.catalog.get(batch_id)
    path = tmp_path / "changes.jsonl"
    path.write_bytes(b"x")
    staging = world.logs.log(batch).staged()
    staged = await staging.__aenter__()
    await staged.put_file("changes.jsonl", path)
    await world.lease.close()  # it says that it is dead, and what it staged is still there
    assert len(await keys_below(other, batch_id, "changes")) == 1
    swept = await Sweep(other.store, other.lease).run()
    assert [each.identifier for each in swept] == [staged.identifier]
    assert await keys_below(other, batch_id, "changes") == []
    (commit,) = await read_after(other.store, batch.folder, 0)
    assert commit.head.of == staged.identifier
    row = await other.corrections.correct(batch_id, 1, world.form.correction(1, "0.5"))
    assert row.events[0].commit == 2
    assert [each.identifier for each in await Sweep(other.store, other.lease).run()] == []
