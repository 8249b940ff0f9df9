"""The command `stewardd`: reads the settings, runs the daemon until a signal, names what went wrong.

The first SIGTERM, SIGINT or SIGHUP drains: no new calls, running ones end, or are cancelled when the grace is over. A
second SIGTERM or SIGINT stops at once. SIGHUP says that the terminal is gone: the shell and the system may both send
it, so that a second one changes nothing, and where `nohup` had it ignored it stays ignored.

Exit codes: 0 stopped when told to, 2 usage, 3 could not start or failed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import uvloop

from stewardd import __version__, telemetry
from stewardd.config.loading import load
from stewardd.config.settings import Settings
from stewardd.errors import StewardError
from stewardd.memory import tune_allocator
from stewardd.postgres.variables import forget_variables

EXIT_FAILED = 3
DEFAULT_DATABASE = "default"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the daemon; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        settings = load(parsed.config, _overrides(parsed))
    except StewardError as error:
        return _explain(error)
    telemetry.configure(settings.log.level, settings.log.format)
    tune_allocator()
    os.umask(os.umask(0) & 0o077)  # whatever the umask, the daemon may use what it makes itself
    if not settings.postgres.databases:
        _forget_libpq_variables()
    try:
        uvloop.run(_serve(settings))
    except StewardError as error:
        return _explain(error)
    except Exception as error:  # noqa: BLE001  # the edge: what nobody foresaw has an exit code and a place in the log too
        telemetry.logger("main").error("failed unexpectedly", exc_info=error)
        return EXIT_FAILED
    return 0


def _forget_libpq_variables() -> None:
    """What the environment says of connections is meant for other servers than the daemon's own."""
    forgotten = forget_variables(os.environ)
    if forgotten:
        telemetry.logger("main").info(
            "variables of libpq not used: the embedded server has none", names=forgotten
        )


async def _serve(settings: Settings) -> None:
    stop, hurry = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, stop.set)
    # Before grpc is loaded: it would say on stderr, at each child process, that it does nothing about it.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    from stewardd.app.daemon import Daemon  # it takes a second, in which a signal may come

    daemon = Daemon(settings)
    await _until(stop, daemon.start())
    if not stop.is_set():
        await stop.wait()
    await daemon.stop(hurry)


async def _until(stop: asyncio.Event, starting: object) -> None:
    """Awaits the start, and cancels it when a signal comes first."""
    start = asyncio.ensure_future(starting)  # type: ignore[call-overload]
    told = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({start, told}, return_when=asyncio.FIRST_COMPLETED)
        if not start.done():
            start.cancel()
        try:
            await start
        except asyncio.CancelledError:
            if not stop.is_set():
                raise
    finally:
        told.cancel()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stewardd",
        description="Validates what goes into PostgreSQL, keeps the rest in quarantine, and backs the database up.",
        epilog="Every setting: docs/configuration.md. The command that talks to it is `steward`.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, as TOML")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="the daemon's own folder")
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ADDR",
        help="HOST:PORT or unix:PATH; may be given more than once",
    )
    parser.add_argument(
        "--web-listen",
        metavar="ADDR",
        help="HOST:PORT of the HTTP port for metrics and probes; an empty text: none",
    )
    parser.add_argument(
        "--database-url",
        metavar="URL",
        help="the target database (a password in it shows in the process list: prefer the configuration)",
    )
    parser.add_argument("--version", action="version", version=f"stewardd {__version__}")
    return parser


def _overrides(parsed: argparse.Namespace) -> dict[str, object]:
    overrides: dict[str, object] = {}
    if parsed.data_dir is not None:
        overrides["data_dir"] = parsed.data_dir
    if parsed.listen:
        overrides["server.listen"] = tuple(parsed.listen)
    if parsed.web_listen is not None:
        overrides["web.listen"] = parsed.web_listen
    if parsed.database_url is not None:
        overrides[f"postgres.databases.{DEFAULT_DATABASE}"] = {"url": parsed.database_url}
    return overrides


def _explain(error: StewardError) -> int:
    with suppress(OSError):  # its terminal may be gone
        print(f"stewardd: {error.message} [{error.reason}]", file=sys.stderr)  # noqa: T201  # a person started it
        if error.hint:
            print(f"stewardd: {error.hint}", file=sys.stderr)  # noqa: T201
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
