"""A batch in the making: bytes are fed in, rows are judged beside the event loop, nothing is visible yet.

The engine works on a thread with the interpreter released while the next chunk is on its way: `feed` returns when the
chunk before has been judged and this one was handed over, so that exactly one chunk is in flight and memory is
bounded by two. What went wrong with a chunk is raised by the next call.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import fastcsv
from stewardd.errors import InputRefused, StewardError
from stewardd.schemas.refusals import refusals

T = TypeVar("T")
P = TypeVarTuple("P")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large things may get before they are refused or quarantined."""

    max_upload_bytes: int
    max_decompressed_bytes: int
    max_record_bytes: int
    max_record_lines: int
    max_fields: int
    max_header_bytes: int
    max_field_bytes: int
    max_json_depth: int
    max_errors_per_record: int


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

    def __init__(self, folder: Path, executor: Executor, bounds: Bounds) -> None:
        self._folder = folder
        self._executor = executor
        self._bounds = bounds
        self._pending: asyncio.Future[Any] | None = None
        self._taken_bytes = 0
        self.header: asyncio.Future[None] = asyncio.get_running_loop().create_future()

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
        settings = fastcsv.Options(
            delimiter=options.delimiter,
            strict=options.strict,
            accept_recovered=options.accept_recovered,
            valid_out=options.keep_valid_rows,
            max_record_bytes=self._bounds.max_record_bytes,
            max_record_lines=self._bounds.max_record_lines,
            max_fields=self._bounds.max_fields,
            max_header_bytes=self._bounds.max_header_bytes,
            max_field_bytes=self._bounds.max_field_bytes,
            max_json_depth=self._bounds.max_json_depth,
            max_errors_per_record=self._bounds.max_errors_per_record,
            max_decompressed_bytes=self._bounds.max_decompressed_bytes,
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

        self._pending = asyncio.get_running_loop().run_in_executor(self._executor, make)
        await self.settle()

    @property
    def schema(self) -> fastcsv.Schema | None:
        """The schema that the header fits, None until the header has been read."""
        return self._validator.schema

    @property
    def folder(self) -> Path:
        """Where the engine's files stand."""
        return self._folder

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """Columns of the header that the schema does not know; empty until the header has been read."""
        return tuple(self._validator.unknown_columns)

    @property
    def progress(self) -> fastcsv.Progress:
        """How far the engine has come. Waits for no chunk in flight."""
        return self._validator.progress

    async def feed(self, data: bytes) -> None:
        """Hands the next bytes over, once those before have been judged. Raises what was wrong with those."""
        self._taken_bytes += len(data)
        if self._taken_bytes > self._bounds.max_upload_bytes:
            raise InputRefused(
                f"the file is larger than {self._bounds.max_upload_bytes} bytes",
                hint="split the file, or raise `validation.max_upload_bytes`",
            )
        await self.settle()
        feeding = asyncio.get_running_loop().run_in_executor(
            self._executor, self._validator.feed, data
        )
        if not self.header.done():
            feeding.add_done_callback(self._look_at_header)
        self._pending = feeding

    def _look_at_header(self, fed: asyncio.Future[fastcsv.Progress]) -> None:
        if self.header.done() or fed.cancelled():
            return
        try:
            with refusals():
                fed.result()
        except StewardError as error:
            self.header.set_exception(error)
            self.header.exception()  # whether somebody asks for it or not, it is no loose end
        else:
            if self._validator.schema is not None:
                self.header.set_result(None)

    async def settle(self) -> None:
        """Waits for the work in flight. Raises what was wrong with it."""
        if self._pending is not None:
            with refusals():
                await asyncio.shield(self._pending)
            self._pending = None

    async def finish(self) -> fastcsv.Report:
        """Judges what is left and makes every file durable; the folder then holds the finished batch."""
        await self.settle()
        return await self.on_thread(self._validator.finish)

    async def discard(self) -> None:
        """Ends the work and removes its folder. May be called at any time, and twice."""
        if self._pending is not None:
            await asyncio.wait([self._pending])
            # Whatever it was, somebody has been told, or does not listen any more.
            self._pending.exception()
            self._pending = None

        def remove() -> None:
            if hasattr(self, "_validator"):
                self._validator.abort()
            shutil.rmtree(self._folder, ignore_errors=True)

        await asyncio.get_running_loop().run_in_executor(self._executor, remove)

    async def on_thread(self, work: Callable[[*P], T], *arguments: *P) -> T:
        """Runs blocking work beside the event loop."""
        with refusals():
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, work, *arguments
            )
