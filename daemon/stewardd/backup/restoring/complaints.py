"""Reads what `pg_restore --verbose` writes to stderr: how far it has come, and what it could not do.

PostgreSQL quotes the row at fault in its errors. No value of a row may stand in an error or in a log, so of what is
said about rows only the words are kept that a table of patterns knows, and details and contexts are cut.
"""

from __future__ import annotations

import re
import threading

from stewardd.backup.restoring.options import RestoreIssue

_PREFIX = "pg_restore: "
# Parallel pg_restore processes write prefix, text and line end each by itself, so that their lines mix.
_TABLE_BEGUN = re.compile(r'processing data for table "')
_NARRATION = re.compile(
    r"(?:pg_restore: )+(?:creating|processing|executing|launching|finished|connecting|entering|starting|skipping|"
    r"implied|disabling|enabling|restoring|restored|dropping|table |allocating|moving|waiting|worker|setting|$)|"
    r"processing data for table"
)
_ENTRY = re.compile(r"pg_restore: from TOC entry \d+; \d+ \d+ (?P<said>.*)")
_ERROR = re.compile(r"pg_restore: error: (?P<said>.*)")
_COPY_FAILED = re.compile(r"COPY failed for table|error returned by PQputCopyData")
_COMMAND = "Command was: "
_WENT_ON = "pg_restore: warning: errors ignored on restore:"
_ROWS = ("TABLE DATA", "MATERIALIZED VIEW DATA")
# What may be quoted of an error about rows: these words name objects, never values.
_ABOUT_ROWS = re.compile(
    r'COPY failed for table "[^"]*"|(?:relation|function|type|operator|schema|column|extension|collation|role) '
    r"[^:\n]*? does not exist|[^:\n]* violates [a-z -]+ constraint \"[^\"]*\"|"
    r"invalid input (?:syntax|value) for [a-z ]*type [\w. ]+|invalid byte sequence for encoding \"[^\"]*\"|"
    r"could not (?:extend|write|open) file|No space left on device|out of memory|server closed the connection|"
    r"missing data for column \"[^\"]*\"|extra data after last expected column|permission denied for [^:\n]*|"
    r"cannot insert into[^:\n]*|no partition of relation \"[^\"]*\" found for row|"
    r"terminating connection due to administrator command|has no equivalent in encoding \"[^\"]*\"|"
    r'invalid value for parameter "[^"]*"'
)
# What is quoted of a value elsewhere, such as by the function of an index.
_VALUE = re.compile(
    r"(?P<said>(?:invalid input (?:syntax|value) for|invalid byte sequence for)[^:]*: ).*|"
    r'(?<=value )"[^\n]*"(?= is out of range)'
)
_TELLING_DETAIL = re.compile(r"HINT:|DETAIL:.*control file")
# What pg_restore of 17 and later sets for itself, also on an older server, which does not know it. Nothing is lost.
_NEWER_SETTING = 'unrecognized configuration parameter "transaction_timeout"'
_FUNCTION = re.compile(r"(?:PL/\w+|SQL) function [^\s(]+")
_LONGEST_LINE = 1000
_LONGEST_COMMAND = 400
_MOST_ISSUES = 1000
_MOST_STDERR = 256 * 1024


def without_values(said: str, *, is_about_rows: bool) -> str:
    """An error of the server without the values that it quotes; of one about rows only known words stay."""
    if is_about_rows:
        said = ": ".join(_ABOUT_ROWS.findall(said)) or "the server refused a row"
    said = _VALUE.sub(lambda found: (found["said"] or "") + "…", said)
    return " ".join(said.split())


class RestoreComplaints:
    """Takes stderr in pieces of any size, on a thread; what it found may be read when pg_restore has ended."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []
        self._size = 0
        self._entry = ""
        self._issues: list[_OpenIssue] = []
        self._lock = threading.Lock()
        self._passes_over = False  # what follows belongs to an error that is none
        self.begun_tables = 0
        self.went_on = False
        """whether it came to its end in spite of errors"""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        with self._lock:
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._rest = self._rest[-(1 << 20) :]
            for line in lines:
                self._read(line.decode(errors="replace"))

    @property
    def issues(self) -> tuple[RestoreIssue, ...]:
        """What could not be done, in its order; of more than a thousand the first."""
        with self._lock:
            return tuple(each.told() for each in self._issues)

    @property
    def text(self) -> str:
        """What was written, without narration and values."""
        with self._lock:
            return "\n".join(self._lines)

    def _read(self, line: str) -> None:
        self.begun_tables += len(_TABLE_BEGUN.findall(line))
        if _NARRATION.match(line):
            return
        if found := _ENTRY.match(line):
            self._entry = found["said"].rpartition(" ")[0] or found["said"]  # without its owner
            self._keep(line)
        elif _ERROR.match(line) and _NEWER_SETTING in line:
            self._passes_over = True
        elif found := _ERROR.match(line):
            self._passes_over = False
            issue = _OpenIssue(self._entry, found["said"])
            self._entry = ""
            if len(self._issues) < _MOST_ISSUES:
                self._issues.append(issue)
            self._keep(f"{_PREFIX}error: {issue.told().error}")
        elif line.startswith(_PREFIX):
            self._entry = ""
            self._passes_over = False
            self.went_on = self.went_on or line.startswith(_WENT_ON)
            self._keep(line)
        elif self._issues and not self._passes_over and self._issues[-1].add(line):
            self._keep(line)

    def _keep(self, line: str) -> None:
        line = line[:_LONGEST_LINE]
        if line.strip() and self._size + len(line) < _MOST_STDERR:
            self._lines.append(line)
            self._size += len(line) + 1


class _OpenIssue:
    """An issue whose further lines may come."""

    def __init__(self, entry: str, said: str) -> None:
        self.is_about_rows = entry.startswith(_ROWS) or _COPY_FAILED.search(said) is not None
        self._entry = entry
        self._said = said
        self._command = ""
        self._in_command = False
        self._function = ""

    def add(self, line: str) -> bool:
        """Takes a line that belongs to it; returns whether it may be shown."""
        if line.startswith(_COMMAND):
            self._in_command = True
            line = line.removeprefix(_COMMAND)
        if self._in_command:
            if len(self._command) < _LONGEST_COMMAND and not self.is_about_rows:
                self._command = f"{self._command} {line.strip()}".strip()[:_LONGEST_COMMAND]
            return not self.is_about_rows
        if not self._function and (found := _FUNCTION.search(line)):
            self._function = found[0]
        return _TELLING_DETAIL.match(line) is not None

    def told(self) -> RestoreIssue:
        """Returns what may be told of it."""
        said = self._said.replace("could not execute query: ", "")
        said = without_values(said, is_about_rows=self.is_about_rows)[:_LONGEST_LINE]
        if self._function:
            said += f" (in {self._function})"
        return RestoreIssue(self._entry, said, self._command)
