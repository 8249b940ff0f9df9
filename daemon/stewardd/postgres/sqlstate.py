"""What a database's error says about the database: that it is away, or that it has answered.

Sorted by SQLSTATE, never by exception class: psycopg hangs 88 SQLSTATE classes below OperationalError. Away is what
waiting mends and what another statement would meet as well: connections lost or refused (08), a shutdown or a start
under way (57P01 to 57P03), no slot left (53300), an I/O error below the server (58030). A unique violation, a
deadlock, a cancelled statement, a wrong password is an answer.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import re
from enum import Enum
from functools import cache
from pathlib import Path

import psycopg
from psycopg import pq

_AWAY_CLASS = "08"
_NO_SLOT_CODE = "53300"
READ_ONLY_CODE = "25006"
"""A write on a standby, and in a transaction that was begun as read-only."""
_AWAY_CODES = frozenset({"57P01", "57P02", "57P03", _NO_SLOT_CODE, "58030"})

# The server sends a SQLSTATE with a refusal to connect, and libpq doesn't pass it on. These are the English texts of
# every refusal with 53300; a server that speaks another language (lc_messages) is found to have answered.
_NO_SLOT = re.compile(
    r"too many clients already|remaining connection slots are reserved|too many connections for (role|database)"
)
# libpq's own words, which it takes from its message catalogue only where NLS is compiled in and LC_MESSAGES says so.
_STANDBY = re.compile(r"session is read-only|server is in hot standby mode")
_PING_TIMEOUT_S = 2


class Verdict(Enum):
    """What an error says about the database."""

    AWAY = "away"
    ANSWERED = "answered"


def judge_sqlstate(sqlstate: str) -> Verdict:
    """Sorts the error of a statement, or of a connection that a server ended."""
    away = sqlstate.startswith(_AWAY_CLASS) or sqlstate in _AWAY_CODES
    return Verdict.AWAY if away else Verdict.ANSWERED


def judge_connected(error: psycopg.Error, *, broken: bool) -> Verdict:
    """Sorts an error on a connection that had been made; without a SQLSTATE, a broken connection tells."""
    if error.sqlstate is not None:
        return judge_sqlstate(error.sqlstate)
    return Verdict.AWAY if broken else Verdict.ANSWERED


def judge_loan(error: BaseException | None, *, broken: bool) -> Verdict | None:
    """Sorts what ended a block that had borrowed a connection; None where no database error did.

    An error that was raised from psycopg's counts as that. A block that was cancelled may have a broken connection too,
    for psycopg gives up after a while to end its statement: that alone says nothing of the server.
    """
    cause = _database_error(error)
    if cause is not None:
        return judge_connected(cause, broken=broken)
    return Verdict.AWAY if broken and not _was_cancelled(error) else None


def find_sqlstate(error: BaseException | None) -> str | None:
    """The SQLSTATE of an error, or of the one that it was raised from."""
    cause = _database_error(error)
    return None if cause is None else cause.sqlstate


def _database_error(error: BaseException | None) -> psycopg.Error | None:
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    return error


def _was_cancelled(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, asyncio.CancelledError):
        error = error.__cause__ or error.__context__
    return error is not None


def judge_connecting(error: psycopg.Error, ping: pq.Ping) -> Verdict:
    """Sorts a failure to connect, by what PQping saw right after it.

    A server that takes connections and didn't take this one has answered, unless it had no slot left. `NO_ATTEMPT`:
    libpq didn't even try, for the parameters are wrong.
    """
    if error.sqlstate is not None:
        return judge_sqlstate(error.sqlstate)
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return Verdict.AWAY
    if ping in (pq.Ping.NO_RESPONSE, pq.Ping.REJECT):
        return Verdict.AWAY
    return Verdict.AWAY if has_no_slot(error) else Verdict.ANSWERED


def has_no_slot(error: psycopg.Error) -> bool:
    """Whether the server is away only in that all of its connections are taken."""
    if error.sqlstate is not None:
        return error.sqlstate == _NO_SLOT_CODE
    return _NO_SLOT.search(str(error)) is not None


def is_standby(error: psycopg.Error) -> bool:
    """Whether a server was left because its URL asks for a primary (target_session_attrs)."""
    return _STANDBY.search(str(error)) is not None


def ping(conninfo: str) -> pq.Ping:
    """Asks whether a server takes connections, without logging in. Blocks, for two seconds at most per host."""
    bounded = psycopg.conninfo.make_conninfo(conninfo, connect_timeout=_PING_TIMEOUT_S).encode()
    library = _libpq()
    return pq.Ping(pq.PGconn.ping(bounded) if library is None else library.PQping(bounded))


@cache
def _libpq() -> ctypes.CDLL | None:
    """The libpq that psycopg brings along, called without its wrapper.

    The wrapper holds the interpreter for as long as PQping waits: measured, a server that accepts and says nothing
    stopped the whole daemon for two seconds. Where only another libpq is there, the wrapper is what remains.
    """
    spec = importlib.util.find_spec("psycopg_binary")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in Path(folder).with_name("psycopg_binary.libs").glob("libpq*"):
            library = ctypes.CDLL(str(path))  # loaded already
            library.PQping.argtypes = [ctypes.c_char_p]
            return library
    return None
