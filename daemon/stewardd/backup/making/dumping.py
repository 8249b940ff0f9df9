"""One pg_dump from its start to its last stored segment, as one stream or as a staged folder of files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from stewardd.backup.making.arguments import dump_arguments
from stewardd.backup.making.packing import Packer
from stewardd.backup.making.progress_report import ProgressReport
from stewardd.backup.making.protocol import DumpJob
from stewardd.backup.making.segments import Sealing, Segmenter
from stewardd.backup.making.staging import StagedFiles
from stewardd.backup.making.storing import SegmentStorage
from stewardd.backup.manifest.backup import DumpForm
from stewardd.backup.worker.client_tool import ClientTool
from stewardd.postgres.dump_source import Survey
from stewardd.postgres.snapshot import Snapshot
from stewardd.postgres.target import DatabaseTarget

SegmentSource = Segmenter | Packer
JudgeTool = Callable[[ClientTool], Awaitable[None]]
EndTool = Callable[[ClientTool], Awaitable[None]]


class Dumping:
    """Dumps in a snapshot. `judge` says how a tool ended, `end` makes sure that it has."""

    def __init__(
        self,
        job: DumpJob,
        target: DatabaseTarget,
        storage: SegmentStorage,
        sealing: Sealing,
        report: ProgressReport,
        *,
        segment_bytes: int,
        judge: JudgeTool,
        end: EndTool,
    ) -> None:
        self._job = job
        self._target = target
        self._storage = storage
        self._sealing = sealing
        self._report = report
        self._judge = judge
        self._end = end
        self._segment_bytes = segment_bytes

    async def dump(
        self, snapshot: Snapshot, survey: Survey, form: DumpForm, settings: Mapping[str, str]
    ) -> SegmentSource:
        """Dumps what a survey found, and returns what all of it was read from.

        Raises: what `judge` raises; StorageFull, RepositoryDown.
        """
        if form is DumpForm.DIRECTORY:
            return await self._dump_folder(snapshot, survey, settings)
        return await self._dump_stream(snapshot, survey, settings)

    async def _dump_stream(
        self, snapshot: Snapshot, survey: Survey, settings: Mapping[str, str]
    ) -> Segmenter:
        job = self._job
        arguments = dump_arguments(
            snapshot.identifier, job.lock_timeout_s, survey, form=DumpForm.CUSTOM
        )
        dump = ClientTool.start(job.pg_dump, arguments, self._target, settings)
        try:
            segmenter = Segmenter(
                dump.stdout, segment_bytes=self._segment_bytes, sealing=self._sealing
            )
            self._report.source = segmenter
            await self._storage.store_all(segmenter.next_segment, dump.kill)
            await self._judge(dump)
        finally:
            await self._end(dump)
        return segmenter

    async def _dump_folder(
        self, snapshot: Snapshot, survey: Survey, settings: Mapping[str, str]
    ) -> Packer:
        job = self._job
        folder = Path(job.staging)
        arguments = dump_arguments(
            snapshot.identifier,
            job.lock_timeout_s,
            survey,
            form=DumpForm.DIRECTORY,
            jobs=job.jobs,
            folder=folder,
        )
        staged = StagedFiles(folder, job.reserve_bytes)
        self._report.staged = staged
        try:
            dump = ClientTool.start(job.pg_dump, arguments, self._target, settings)
            try:
                staged.start(dump.ended_within, dump.kill)
                return await self._pack(dump, staged)
            finally:
                await self._end(dump)
        finally:
            await asyncio.to_thread(staged.close)

    async def _pack(self, dump: ClientTool, staged: StagedFiles) -> Packer:
        packer = Packer(
            staged.folder, staged, segment_bytes=self._segment_bytes, sealing=self._sealing
        )
        self._report.source = packer
        try:
            await self._storage.store_all(packer.next_segment, dump.kill)
        finally:
            packer.close()
        if staged.failure is not None:
            raise staged.failure
        await self._judge(dump)
        return packer
