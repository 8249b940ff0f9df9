"""A batch in the making: bytes are fed in, rows are judged beside the event loop, nothing is visible yet.

The engine works on threads with the interpreter released while the next chunks are on their way (intake.py): `feed`
returns when there is room for the chunk among those that wait. What went wrong with a chunk is raised by a later call.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import fastcsv
from stewardd.config.validation import ValidationSettings
from stewardd.errors import InputRefused, StewardError
from stewardd.schemas.refusals import refusals
from stewardd.validation.engine import EngineThreads
from stewardd.validation.intake import Intake, Piece

T = TypeVar("T")
P = TypeVarTuple("P")

ENGINE_THREADS = 4
"""One file is judged by no more at once: gRPC and a disk bring none faster."""
BYTES_A_THREAD = 512 * 1024
"""What a thread must have to judge to be worth its start."""
BYTES_A_TURN = 64 * 1024
"""What a piece must have on average to be worth that threads take turns at pieces."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a file is read and judged; see ValidateOptions in the contract."""

    delimiter: str | None = None
    strict: bool = False
    accept_recovered: bool = False
    keep_valid_rows: bool = False


class Draft:
    """The engine at work on one file. Not safe for two callers at once.

    `header` is done when the header has been read and fits, and fails with what is wrong with it.
    """

    _validator: fastcsv.Validator

    def __init__(self, folder: Path, engine: EngineThreads, bounds: ValidationSettings) -> None:
        self._folder = folder
        self._engine = engine
        self._bounds = bounds
        self._opening: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._intake = Intake(engine, self._judge, bounds.max_waiting_bytes)
        self._taken_bytes = 0
        self.header: asyncio.Future[None] = self._loop.create_future()

    async def open(
        self,
        schemas: Sequence[fastcsv.Schema],
        options: ReadOptions,
        *,
        batch_id: str,
        source_file: str,
        quarantined_at: str,
    ) -> None:
        """Makes the folder and the engine's files in it; to be undone by `discard`, also where it fails.

        Raises StorageFull.
        """
        bounds = self._bounds
        settings = bounds.engine_options(
            threads=ENGINE_THREADS,
            delimiter=options.delimiter,
            strict=options.strict,
            accept_recovered=options.accept_recovered,
            valid_out=options.keep_valid_rows,
            max_decompressed_bytes=bounds.max_decompressed_bytes,
            max_output_bytes=bounds.max_output_bytes,
            max_expansion=bounds.max_expansion,
            expansion_free_bytes=bounds.expansion_free_bytes,
        )

        def make() -> None:
            self._folder.mkdir(parents=True, mode=0o700)
            self._validator = fastcsv.Validator(
                schemas,
                self._folder,
                batch=batch_id,
                source_file=source_file,
                quarantined_at=quarantined_at,
                options=settings,
            )

        self._opening = self._loop.run_in_executor(self._engine, make)
        with refusals():
            await asyncio.shield(self._opening)

    @property
    def schema(self) -> fastcsv.Schema | None:
        """The schema that the header fits, None until the header has been read."""
        return self._validator.schema

    @property
    def folder(self) -> Path:
        """Where the engine's files stand."""
        return self._folder

    @property
    def difference(self) -> fastcsv.HeaderDifference:
        """What the header and the schema have not in common; nothing until the header has been read."""
        return self._validator.difference

    @property
    def progress(self) -> fastcsv.Progress:
        """How far the engine has come. Waits for no chunk in flight."""
        return self._validator.progress

    async def feed(self, data: Piece) -> None:
        """Hands the next bytes over, once there is room for them. Raises what was wrong with any before."""
        if not data:
            return
        self._taken_bytes += len(data)
        if self._taken_bytes > self._bounds.max_upload_bytes:
            raise InputRefused(
                f"the file is larger than {self._bounds.max_upload_bytes} bytes",
                hint="split the file, or raise `validation.max_upload_bytes`",
            )
        with refusals():
            await self._intake.put(data)

    def _judge(self, pieces: Sequence[Piece]) -> None:
        """On a thread of the engine."""
        is_header_new = self._validator.schema is None
        try:
            size_bytes = sum(map(len, pieces))
            most = min(ENGINE_THREADS, size_bytes // BYTES_A_THREAD)
            if size_bytes < BYTES_A_TURN * len(pieces):
                most = 1
            with self._engine.helpers(most - 1) as helpers:
                self._validator.feed(*pieces, threads=1 + helpers)
        except (fastcsv.FastcsvError, OSError) as error:
            if is_header_new and self._validator.schema is None:
                self._loop.call_soon_threadsafe(self._header_refused, error)
            elif is_header_new:
                self._loop.call_soon_threadsafe(self._header_fits)
            raise
        if is_header_new and self._validator.schema is not None:
            self._loop.call_soon_threadsafe(self._header_fits)

    def _header_fits(self) -> None:
        if not self.header.done():
            self.header.set_result(None)

    def _header_refused(self, error: fastcsv.FastcsvError | OSError) -> None:
        if self.header.done():
            return
        try:
            with refusals():
                raise error
        except StewardError as refusal:
            self.header.set_exception(refusal)
            self.header.exception()  # whether somebody asks for it or not, it is no loose end

    async def settle(self) -> None:
        """Waits for the work in flight. Raises what was wrong with it."""
        with refusals():
            await self._intake.settle()

    async def finish(self) -> fastcsv.Report:
        """Judges what is left and makes every file durable; the folder then holds the finished batch."""
        await self.settle()
        return await self.on_thread(self._validator.finish)

    async def discard(self) -> None:
        """Ends the work and removes its folder. May be called at any time, and twice."""
        await self._intake.close()
        if self._opening is not None:
            await asyncio.wait([self._opening])
            # Whatever it was, somebody has been told, or does not listen any more.
            self._opening.exception()
            self._opening = None

        def remove() -> None:
            if hasattr(self, "_validator"):
                self._validator.abort()
            shutil.rmtree(self._folder, ignore_errors=True)

        await self._loop.run_in_executor(self._engine, remove)

    async def on_thread(self, work: Callable[[*P], T], *arguments: *P) -> T:
        """Runs blocking work beside the event loop."""
        with refusals():
            return await self._loop.run_in_executor(self._engine, work, *arguments)
