"""Every setting: its type, its default, and one line of meaning beside it.

Settings come from a TOML file, then the environment (`STEWARDD_<SECTION>__<KEY>`), then the command line; the last one
wins. Unknown keys are fatal, wherever they stand. Secrets print as `***` and may stand in a file of their own:
`url = { file = "/run/secrets/url" }`. This is the only file that reads the environment. docs/configuration.md is
generated from it (`make docs`).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from stewardd.errors import ConfigurationError
from stewardd.misnamed import ENVIRONMENT_PREFIX, Sources, explain

OPTIONS = {
    "data_dir": "--data-dir",
    "server.listen": "--listen",
    "postgres.databases.default": "--database-url",
}
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def _read_secret(value: object) -> object:
    """Takes `{ file = PATH }` for the text of that file, without its last line end."""
    if isinstance(value, Mapping) and set(value) == {"file"}:
        try:
            return Path(str(value["file"])).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise ValueError(f"the secret's file cannot be read: {error.strerror}") from None
    return value


Secret = Annotated[SecretStr, BeforeValidator(_read_secret)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _read_folder(value: object) -> object:
    """Takes ~ for the user's home. An empty text, as an unset variable makes it, is not the working folder."""
    if value in ("", Path()):
        raise ValueError("it must not be empty")
    if not isinstance(value, str | Path):
        return value
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no such home") from None


def _read_location(value: object) -> object:
    """Takes ~ in a folder for the user's home, and leaves URLs alone."""
    return str(_read_folder(value)) if isinstance(value, str) and value[:1] == "~" else value


Folder = Annotated[Path, BeforeValidator(_read_folder)]
Location = Annotated[str, BeforeValidator(_read_location)]
ADDRESS = r"^(unix:.+|[^:]+:\d{1,5}|\[[^\]]+\]:\d{1,5})$"
LARGEST_PORT = 65_535


def _read_address(text: str) -> str:
    """HOST:PORT or unix:PATH; grpc would take a port of 99999 for 34463."""
    port = text.rpartition(":")[2]
    if re.fullmatch(ADDRESS, text) is None or (
        not text.startswith("unix:") and int(port) > LARGEST_PORT
    ):
        raise ValueError(f"{text!r} is not of the form HOST:PORT or unix:PATH")
    return text


Address = Annotated[str, AfterValidator(_read_address)]


def _read_mode(value: object) -> object:
    """Takes 0660, "0660" and 0o660 for one mode; it must let the daemon's own user in."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value:04o}"
    if not isinstance(value, str) or re.fullmatch(r"(0o?)?[67][0-7]{2}", value) is None:
        raise ValueError('it is not of the form "0660": octal, and with 6 or 7 for the owner')
    return f"0{value[-3:]}"


class Section(BaseModel):
    """What all sections have in common: frozen, and no key that is not named here."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Server(Section):
    """Where the daemon listens, and how much it takes on at once."""

    listen: Annotated[
        tuple[Address, ...],
        Field(
            min_length=1,
            description="addresses: HOST:PORT, or unix:PATH; port 0 takes a free one. 0.0.0.0 and [::] each open IPv4 "
            "and IPv6, so that one of them is enough",
        ),
    ] = ("127.0.0.1:50551",)
    socket_mode: Annotated[
        str,
        BeforeValidator(_read_mode),
        Field(
            description="mode of a unix socket, in octal; 0660 lets its group in, 0666 everybody"
        ),
    ] = "0600"
    socket_group: Annotated[
        str,
        Field(description="group of a unix socket, by name or number; empty: the daemon's own"),
    ] = ""
    max_message_bytes: Annotated[
        int, Field(ge=MIB, le=256 * MIB, description="the largest message that is taken")
    ] = 4 * MIB + 64 * KIB
    max_concurrent_calls: Annotated[
        Count, Field(description="calls served at once; more are refused, health is exempt")
    ] = 256
    max_concurrent_batches: Annotated[
        Count, Field(description="batches validated at once; more are refused")
    ] = 32
    engine_threads: Annotated[
        Count,
        Field(
            description="threads that run the validation engine; more for a moment, where work comes while some help "
            "or one works alone"
        ),
    ] = max(2, os.cpu_count() or 2)
    engine_niceness: Annotated[
        int,
        Field(
            ge=0,
            le=19,
            description="how far those threads stand back behind the rest of the daemon (nice values; Linux); a batch "
            "that is judged alone stands back by 2 at most",
        ),
    ] = 10
    drain_timeout_s: Annotated[
        Seconds,
        Field(description="how long SIGTERM waits for running calls before it cancels them"),
    ] = 30.0


class Repository(Section):
    """Where quarantine, backups, operations and idempotency records are kept."""

    url: Annotated[
        Location,
        Field(
            description="a folder, file:///…, s3://…, az://… or gs://…; empty: `repository` in the data folder"
        ),
    ] = ""
    options: Annotated[
        dict[str, Secret],
        Field(
            description="for the client of a bucket: region, endpoint, …; credentials come as it finds them"
        ),
    ] = {}
    lease_s: Annotated[
        Seconds,
        Field(description="a daemon that did not renew its lease for so long is given up for dead"),
    ] = 60.0
    heartbeat_s: Annotated[Seconds, Field(description="how often the lease is renewed")] = 15.0
    sweep_interval_s: Annotated[
        Seconds, Field(description="how often it is looked for what dead daemons left unfinished")
    ] = 300.0
    request_ids_kept_s: Annotated[
        Seconds, Field(description="how long a request_id is remembered after it was last touched")
    ] = 7 * 86_400.0

    @model_validator(mode="after")
    def _renew_in_time(self) -> Repository:
        if self.heartbeat_s * 2 > self.lease_s:
            raise ValueError("heartbeat_s must be at most half of lease_s")
        return self


class Database(Section):
    """One target database."""

    url: Annotated[
        Secret,
        Field(
            description="postgresql://USER:PASSWORD@HOST:PORT/NAME, or a libpq conninfo; libpq's variables (PG…), "
            "service file and passfile hold for it"
        ),
    ]


class Postgres(Section):
    """The target databases and the connections to them."""

    databases: Annotated[
        dict[str, Database],
        Field(
            description="by the name that callers use; none: the daemon runs an embedded PostgreSQL, for which "
            "libpq's variables (PG…) do not hold"
        ),
    ] = {}
    embedded_user: Annotated[
        str,
        Field(
            description="who runs the embedded PostgreSQL when the daemon is root; empty: postgres, else nobody"
        ),
    ] = ""
    tools_dir: Annotated[
        Folder | None,
        BeforeValidator(lambda value: value or None),
        Field(
            description="the folder of pg_dump and pg_restore; empty: the nearest that fits is found"
        ),
    ] = None
    pool_min_size: Annotated[int, Field(ge=0, description="connections kept open")] = 5
    pool_max_size: Annotated[Count, Field(description="connections opened at most")] = 20
    pool_acquire_timeout_s: Annotated[
        Seconds, Field(description="how long a caller waits for a connection")
    ] = 5.0
    pool_idle_timeout_s: Annotated[
        Seconds, Field(description="an idle connection over the minimum is closed")
    ] = 30.0
    probe_interval_s: Annotated[
        Seconds, Field(description="how often each database is probed for Health")
    ] = 2.0
    probe_timeout_s: Annotated[
        Seconds, Field(description="a probe that takes longer finds the database down")
    ] = 2.0

    @model_validator(mode="after")
    def _min_below_max(self) -> Postgres:
        if self.pool_min_size > self.pool_max_size:
            raise ValueError("pool_min_size must not exceed pool_max_size")
        return self


class Validation(Section):
    """What files may be, and how much of them is held at once."""

    schema_dirs: Annotated[
        tuple[Path, ...],
        Field(
            description="folders with <kind>/<name>/<version>.json, beside the schemas that come with steward"
        ),
    ] = ()
    uri_roots: Annotated[
        tuple[Location, ...],
        Field(
            description="folders, or s3://… az://… gs://… prefixes, below which ValidateBatch may read a uri; "
            "none: no uri is read. Names are percent-encoded; what is no escape may stand as it is, but for ? and #"
        ),
    ] = ()
    max_upload_bytes: Annotated[Count, Field(description="the largest file, as sent")] = 64 * GIB
    max_waiting_bytes: Annotated[
        Count, Field(description="what a batch may have received and not judged yet, or one chunk")
    ] = 8 * MIB
    max_decompressed_bytes: Annotated[
        Count, Field(description="the largest file, once decompressed")
    ] = 256 * GIB
    max_output_bytes: Annotated[
        Count,
        Field(
            description="the most that a batch writes: its quarantine, and its valid rows where kept"
        ),
    ] = 512 * GIB
    max_expansion: Annotated[
        Count,
        Field(
            description="how many times its size as sent a file may become, decompressed or as what a batch writes; "
            "it counts beyond `expansion_free_bytes` only"
        ),
    ] = 1000
    expansion_free_bytes: Annotated[
        Count, Field(description="so much may come of any file, however small it is")
    ] = 64 * MIB
    max_record_bytes: Annotated[
        Count, Field(description="a longer record is quarantined by its beginning")
    ] = MIB
    max_record_lines: Annotated[
        Count, Field(description="a quote that spans more lines never closed")
    ] = 10_000
    max_fields: Annotated[
        Count, Field(description="the most columns of a header or cells of a record")
    ] = 4096
    max_header_bytes: Annotated[Count, Field(description="the longest header")] = 64 * KIB
    max_field_bytes: Annotated[
        Count, Field(description="a row with a longer cell is quarantined")
    ] = 256 * KIB
    max_json_depth: Annotated[
        int, Field(ge=1, le=128, description="how deep JSON in a cell may be nested")
    ] = 128
    max_errors_per_record: Annotated[
        Count, Field(description="errors that are told of one row; more are counted")
    ] = 100
    idle_timeout_s: Annotated[
        Seconds, Field(description="an upload that sends nothing for so long is ended")
    ] = 120.0
    max_upload_s: Annotated[
        Seconds, Field(description="an upload that takes longer is ended, however slowly it comes")
    ] = 6 * 3600.0


class Quarantine(Section):
    """How much is looked at, and held, to find and correct quarantined rows."""

    threads: Annotated[Count, Field(description="threads that find rows and judge corrections")] = 4
    bulk_threads: Annotated[
        Count, Field(description="threads for sheets, exports, retries, purges and erasures")
    ] = 4
    cached_rows: Annotated[
        Count,
        Field(description="rows whose states are kept in memory, four bytes each"),
    ] = 5_000_000
    stats_max_batches: Annotated[
        Count, Field(description="how many batches are counted at once; the newest are")
    ] = 10_000
    stats_scan_bytes: Annotated[
        Count, Field(description="how much is looked at for the commonest invalid values")
    ] = 16 * MIB
    retry_commit_rows: Annotated[
        Count, Field(description="how many rows of a retry move in one commit")
    ] = 100_000
    max_concurrent_sheets: Annotated[
        Count, Field(description="sheets resubmitted at once; more are refused")
    ] = 8
    max_sheet_bytes: Annotated[
        Count, Field(description="the largest sheet that may be resubmitted")
    ] = 256 * MIB
    max_sheet_rows: Annotated[
        Count, Field(description="the most rows of a sheet that may be resubmitted")
    ] = 1_000_000
    keep_closed_s: Annotated[
        Annotated[float, Field(ge=0, allow_inf_nan=False)],
        Field(
            description="resolved and discarded rows are purged so long after; 0: never. Open rows always stay"
        ),
    ] = 0.0
    archive_purged: Annotated[
        bool, Field(description="what that purges is kept as a compressed object of the batch")
    ] = True
    page_scan_bytes: Annotated[
        Count,
        Field(description="how much a page of a filtered listing looks at before it ends early"),
    ] = 64 * MIB


class Backup(Section):
    """How backups are made."""

    segment_bytes: Annotated[int, Field(ge=MIB, description="stored size of a segment")] = 32 * MIB
    compression_level: Annotated[int, Field(ge=1, le=19, description="zstd level")] = 3
    max_duration_s: Annotated[
        Seconds,
        Field(
            description="a dump that takes longer is cancelled; it holds locks that DDL waits for"
        ),
    ] = 6 * 3600.0


class Operations(Section):
    """What outlasts a call."""

    max_running: Annotated[
        Count,
        Field(
            description="operations of one lane (backup, quarantine) that run at once; more wait for their turn"
        ),
    ] = 2


class Log(Section):
    """What is logged, and how."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="the least severe that is logged"),
    ] = "info"
    format: Annotated[
        Literal["auto", "human", "json"],
        Field(description="auto: human on a terminal, JSON otherwise"),
    ] = "auto"


class Settings(Section):
    """All settings of a daemon."""

    data_dir: Annotated[
        Folder,
        Field(
            description="the daemon's own folder, for one daemon at a time; default: /var/lib/steward as root, "
            "else $XDG_STATE_HOME/steward or ~/.local/state/steward"
        ),
    ]
    server: Server = Server()
    repository: Repository = Repository()
    postgres: Postgres = Postgres()
    validation: Validation = Validation()
    quarantine: Quarantine = Quarantine()
    backup: Backup = Backup()
    operations: Operations = Operations()
    log: Log = Log()

    @property
    def repository_url(self) -> str:
        """The repository's URL, the default one filled in."""
        return self.repository.url or str(self.data_dir / "repository")


def default_data_dir(environment: Mapping[str, str], *, is_root: bool) -> Path:
    """Returns the data folder of a daemon that was told of none (XDG Base Directory Specification for users).

    Raises ConfigurationError where a user has no home.
    """
    if is_root:
        return Path("/var/lib/steward")
    state = environment.get("XDG_STATE_HOME")
    if state:
        return Path(state) / "steward"
    try:
        return Path.home() / ".local" / "state" / "steward"
    except RuntimeError:
        raise ConfigurationError("data_dir: not given, and this user has no home") from None


def load(
    file: Path | None,
    overrides: Mapping[str, object],
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Builds the settings from file, environment and the command line's overrides (dotted keys).

    Raises ConfigurationError, naming every key that is wrong, where it came from, and never its value.
    """
    variables = os.environ if environment is None else environment
    tree: dict[str, Any] = {}
    sources = Sources(file)
    if file is not None:
        tree = _read_file(file)
    for name, text in sorted(variables.items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            _put(tree, path, _from_text(path, text), name)
            sources.note(path, name)
    for dotted, value in overrides.items():
        _put(tree, dotted.split("."), value, dotted)
        sources.note(dotted.split("."), OPTIONS.get(dotted, dotted))
    if "data_dir" not in tree:
        tree["data_dir"] = default_data_dir(variables, is_root=os.geteuid() == 0)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise ConfigurationError(
            "; ".join(explain(each, Settings, sources) for each in found)
        ) from None


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: not TOML: {error}") from error


def _put(tree: dict[str, Any], path: list[str], value: object, name: str) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise ConfigurationError(f"{name}: {key} is a setting, not a section")
    tree[path[-1]] = value


def _from_text(path: list[str], text: str) -> object:
    """Reads a variable's text: lists are separated by commas, all else pydantic converts."""
    field = Settings.model_fields.get(path[0])
    section = field.annotation if field is not None else None
    if len(path) == 2 and isinstance(section, type) and issubclass(section, Section):
        leaf = section.model_fields.get(path[1])
        if leaf is not None and "tuple" in str(leaf.annotation):
            return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
