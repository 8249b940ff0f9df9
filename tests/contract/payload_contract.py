"""The gathering of quarantined payloads, asked of every backend: once under each request_id, whoever serves it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from stewardd.batches.catalog import BatchCatalog
from stewardd.config.validation import ValidationSettings
from stewardd.errors import RequestIdReused, RequestInProgress
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claims
from stewardd.repository.input_files import InputRoots
from stewardd.repository.lease import WriterLease
from stewardd.validation.batch_starter import BatchLimit, BatchStarter
from stewardd.validation.engine_threads import EngineThreads
from stewardd.validation.payload_gathering import (
    PayloadGatherer,
    PayloadOrigin,
    QuarantinedPayload,
)
from stewardd.validation.payload_validation import PayloadRequest, PayloadValidation

from tests.support.quarantine_forms import FORMS
from tests.support.quarantine_world import registry


class Quarantiner:
    """One daemon's share in the quarantining of payloads."""

    def __init__(
        self, store: Store, lease: WriterLease, folder: Path, catalog: BatchCatalog
    ) -> None:
        known, limits = registry(), ValidationSettings()
        self.catalog = catalog
        self.threads = EngineThreads(2, 0)
        starter = BatchStarter(
            registry=known,
            catalog=catalog,
            store=store,
            lease=lease,
            claims=Claims(store, lease),
            scratch=folder / "scratch",
            threads=self.threads,
            limits=limits,
            roots=InputRoots(),
            batch_limit=BatchLimit(8),
        )
        self.validation = PayloadValidation(known, self.threads, limits)
        self.gatherer = PayloadGatherer(starter)

    async def keep(self, number: int, request_id: str) -> QuarantinedPayload:
        payload = json.dumps({"session_id": f"S{number}", "rating": "high"}).encode()
        request = PayloadRequest(payload, FORMS["payloads"].schema, "1.0")
        verdict = await self.validation.validate(request)
        assert not verdict.report.valid
        return await self.gatherer.quarantine(request, verdict, PayloadOrigin("hook", request_id))

    async def keep_once(self, number: int, request_id: str) -> QuarantinedPayload:
        """As a client does it that is told to wait."""
        while True:
            try:
                return await self.keep(number, request_id)
            except RequestInProgress:
                await asyncio.sleep(0.05)


@pytest.fixture
async def quarantiners(
    store: Store, tmp_path: Path
) -> AsyncIterator[tuple[Quarantiner, Quarantiner]]:
    """Two daemons on the store."""
    async with AsyncExitStack() as stack:
        made = []
        for name in ("one", "two"):
            lease = await WriterLease.acquire(store, tmp_path / name)
            stack.push_async_callback(lease.close)
            made.append(Quarantiner(store, lease, tmp_path / name, BatchCatalog(store)))
            stack.callback(made[-1].threads.shutdown)
        yield made[0], made[1]


async def test_a_payload_has_one_row_whoever_is_asked_for_it_and_how_often(
    quarantiners: tuple[Quarantiner, Quarantiner],
) -> None:
    one, two = quarantiners
    asked = [each.keep_once(n, f"id-{n}") for n in range(12) for each in (one, two, one)]
    rows = await asyncio.gather(*asked)
    assert rows[::3] == rows[1::3] == rows[2::3]
    assert len(set(rows)) == 12
    manifests = [await one.catalog.get(batch_id) for batch_id in {row.batch_id for row in rows}]
    assert sum(each.quarantined_rows for each in manifests) == 12
    for number in (0, 11):
        assert await two.keep(number, f"id-{number}") == rows[3 * number]
        with pytest.raises(RequestIdReused):
            await two.keep(99, f"id-{number}")
    first, second = await asyncio.gather(one.keep(50, ""), one.keep(50, ""))
    assert first.batch_id == second.batch_id
    assert first != second
