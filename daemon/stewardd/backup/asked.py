"""What a request asks of a backup, held against what is configured; what can't be done is refused here, first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.manifest.backup import (
    WHOLE_DATABASE,
    Compression,
    CompressionMethod,
    DumpForm,
    ProofMode,
    Selection,
)
from stewardd.backup.options import BackupOptions
from stewardd.config.values import LEAST_BANDWIDTH
from stewardd.errors import InvalidRequest
from stewardd.postgres.dump_catalog import Choice, TableName

_MOST_JOBS = 64
_LEVELS = {CompressionMethod.ZSTD: 19, CompressionMethod.GZIP: 9}
_USUAL_LEVELS = {CompressionMethod.ZSTD: 3, CompressionMethod.GZIP: 6, CompressionMethod.NONE: 0}


@dataclass(frozen=True, slots=True)
class BackupAsked:
    """What a request may say; what it leaves out is as configured."""

    selection: Selection = WHOLE_DATABASE
    form: DumpForm | None = None
    jobs: int = 0
    compression: CompressionMethod | None = None
    compression_level: int = 0
    proof: ProofMode | None = None
    recipients: tuple[str, ...] = ()
    with_globals: bool | None = None
    lock_timeout_s: float | None = None
    max_duration_s: float | None = None
    max_bytes_per_second: int = 0

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What makes it another request, as JSON; nothing where it asks for nothing in particular."""
        found: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, Selection):
                value = (
                    {}
                    if value.is_whole
                    else {key: getattr(value, key) for key in value.__dataclass_fields__}
                )
            if value not in (None, 0, (), {}) or value is False:
                found[name] = value
        return found


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """How one backup is made."""

    selection: Selection
    choice: Choice
    form: DumpForm
    may_stream: bool
    jobs: int
    compression: Compression
    proof: ProofMode
    recipients: tuple[str, ...]
    with_globals: bool
    lock_timeout_s: float
    max_duration_s: float
    max_bytes_per_second: int


def plan_backup(asked: BackupAsked, options: BackupOptions, keyring: Keyring) -> BackupPlan:
    """Raises: InvalidRequest, KeyUnknown."""
    form = asked.form or options.form or DumpForm.DIRECTORY
    # Whoever names the form or a number of jobs gets them, or is told that there is no room.
    may_stream = not (asked.form or options.form or asked.jobs > 1)
    return BackupPlan(
        selection=asked.selection,
        choice=choice_of(asked.selection),
        form=form,
        may_stream=may_stream,
        jobs=_jobs(asked, form, options),
        compression=_compression(asked, options),
        proof=asked.proof or options.proof,
        recipients=keyring.choose_recipients(asked.recipients),
        with_globals=options.with_globals if asked.with_globals is None else asked.with_globals,
        lock_timeout_s=_duration(
            asked.lock_timeout_s, "lock_timeout", options.lock_timeout_s, options.max_duration_s
        ),
        max_duration_s=_duration(
            asked.max_duration_s, "max_duration", options.max_duration_s, options.max_duration_s
        ),
        max_bytes_per_second=_bandwidth(asked, options),
    )


def choice_of(selection: Selection) -> Choice:
    """Reads the names of tables. Raises: InvalidRequest."""
    return Choice(
        schemas=_unempty(selection.schemas, "schemas"),
        exclude_schemas=_unempty(selection.exclude_schemas, "exclude_schemas"),
        tables=tuple(read_table_name(each, "selection.tables") for each in selection.tables),
        exclude_tables=tuple(
            read_table_name(each, "selection.exclude_tables") for each in selection.exclude_tables
        ),
    )


def read_table_name(text: str, field_name: str) -> TableName:
    """Reads SCHEMA.TABLE; a name with a dot or a quote in it is written in double quotes, as in SQL.

    What stands outside of quotes is meant as it stands, capitals too. Raises: InvalidRequest.
    """
    parts: list[str] = []
    rest = text
    while True:
        name, rest = _read_part(rest)
        parts.append(name)
        if not rest.startswith("."):
            break
        rest = rest[1:]
    if rest or len(parts) != 2 or not all(parts):
        raise InvalidRequest(
            f"{text!r} is not of the form SCHEMA.TABLE",
            hint='write SCHEMA.TABLE; a name that has a dot or a quote goes in double quotes: public."a.b"',
            field=field_name,
        )
    return TableName(*parts)


def _read_part(text: str) -> tuple[str, str]:
    if not text.startswith('"'):
        name, dot, rest = text.partition(".")
        return name, dot + rest
    name, place = "", 1
    while place < len(text):
        if text.startswith('""', place):
            name, place = name + '"', place + 2
        elif text[place] == '"':
            return name, text[place + 1 :]
        else:
            name, place = name + text[place], place + 1
    return "", text


def _unempty(names: Sequence[str], member: str) -> tuple[str, ...]:
    if not all(names):
        raise InvalidRequest("a schema without a name", field=f"selection.{member}")
    return tuple(names)


def _jobs(asked: BackupAsked, form: DumpForm, options: BackupOptions) -> int:
    if not 0 <= asked.jobs <= _MOST_JOBS:
        raise InvalidRequest(f"jobs are 1 to {_MOST_JOBS}", field="jobs")
    if asked.jobs > 1 and form is DumpForm.CUSTOM:
        raise InvalidRequest(
            "one stream is read by one job; several jobs need the form `directory`", field="jobs"
        )
    return 1 if form is DumpForm.CUSTOM else asked.jobs or options.jobs


def _compression(asked: BackupAsked, options: BackupOptions) -> Compression:
    if asked.compression is None and not asked.compression_level:
        return options.compression
    method = asked.compression or options.compression.method
    most = _LEVELS.get(method, 0)
    if not 0 <= asked.compression_level <= most:
        said = (
            f"levels of {method.value} are 1 to {most}"
            if most
            else "without compression there is no level"
        )
        raise InvalidRequest(said, field="compression_level")
    if asked.compression_level:
        return Compression(method, asked.compression_level)
    same = method is options.compression.method
    return options.compression if same else Compression(method, _USUAL_LEVELS[method])


def _bandwidth(asked: BackupAsked, options: BackupOptions) -> int:
    wanted, most = asked.max_bytes_per_second, options.max_bytes_per_second
    if not wanted:
        return most
    if wanted < LEAST_BANDWIDTH or (most and wanted > most):
        bounds = f"at least {LEAST_BANDWIDTH}" + (f" and at most {most}" if most else "")
        raise InvalidRequest(
            f"max_bytes_per_second is {bounds}; 0 is as configured", field="max_bytes_per_second"
        )
    return wanted


def _duration(asked: float | None, name: str, configured: float, most: float) -> float:
    if asked is None:
        return configured
    if not 0 < asked <= most:
        raise InvalidRequest(f"{name} is more than nothing and at most {most:g} s", field=name)
    return asked
