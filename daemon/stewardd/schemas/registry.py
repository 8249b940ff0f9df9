"""The registry: every version of every schema of rows and of payloads, compiled once at start.

A schema is the file `<folder>/<kind>/<name>/<version>.json`; its path gives its kind, name and version. The folder that
comes with steward is read first, then those of the configuration. Two files for one version are refused, and so is a
name that stands under two kinds. A document that does not compile stops the start: a daemon must not start with fewer
schemas than it is configured with.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import fastcsv
from stewardd.errors import (
    ConfigurationError,
    HeaderRefused,
    PayloadRefused,
    SchemaNotFound,
    UnknownSchema,
)
from stewardd.schemas.kinds import CompiledSchema, SchemaKind
from stewardd.schemas.members import Member, members_of
from stewardd.schemas.names import NAME, VERSION, SchemaKey
from stewardd.telemetry import logger

BUILTIN = Path(__file__).parent
FACTS = 20
"""At most so many names in the metadata of an error, which has to fit in a gRPC trailer."""
STRAYS_MAX = 100

_log = logger("schemas")


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """One version of a schema. `members` are those that a payload schema names; a row schema has columns instead."""

    kind: SchemaKind
    compiled: CompiledSchema
    document: str
    members: tuple[Member, ...]

    @property
    def key(self) -> SchemaKey:
        """Name and version."""
        return SchemaKey(self.compiled.name, self.compiled.version)

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns, or the JSON Pointers of the members."""
        if isinstance(self.compiled, fastcsv.Schema):
            return tuple(column.name for column in self.compiled.columns)
        return tuple(member.pointer for member in self.members)

    @property
    def personal_fields(self) -> frozenset[str]:
        """Those of them that hold personal data."""
        if isinstance(self.compiled, fastcsv.Schema):
            return frozenset(column.name for column in self.compiled.columns if column.pii)
        return frozenset(member.pointer for member in self.members if member.pii)

    @classmethod
    def of(
        cls, compiled: CompiledSchema, document: str, kind: SchemaKind = SchemaKind.PAYLOAD
    ) -> RegisteredSchema:
        """Returns a compiled document as the registry keeps it."""
        if isinstance(compiled, fastcsv.Schema):
            return cls(SchemaKind.CSV, compiled, document, ())
        return cls(kind, compiled, document, members_of(document))


class Registry:
    """Compiled schemas by name and version. A name stands for schemas of one kind. Immutable."""

    def __init__(
        self, schemas: Iterable[tuple[CompiledSchema, str] | tuple[CompiledSchema, str, SchemaKind]]
    ) -> None:
        by_key = {each.key: each for each in itertools.starmap(RegisteredSchema.of, schemas)}
        self._by_key = {key: by_key[key] for key in sorted(by_key, key=lambda key: key.order)}
        # Asked for with each payload: by name and version, by one of them, or by none.
        self._payloads: dict[tuple[str | None, str | None], list[fastcsv.PayloadSchema]] = {}
        for each in self.all(SchemaKind.PAYLOAD):
            if isinstance(each.compiled, fastcsv.PayloadSchema):
                for asked in itertools.product((None, each.key.name), (None, each.key.version)):
                    self._payloads.setdefault(asked, []).append(each.compiled)

    @classmethod
    def load(cls, folders: Sequence[Path] = ()) -> Registry:
        """Compiles the schemas in the folders. Raises: ConfigurationError, which names the file."""
        found: dict[SchemaKey, Path] = {}
        kinds: dict[str, tuple[SchemaKind, Path]] = {}
        compiled: list[tuple[CompiledSchema, str, SchemaKind]] = []
        strays: list[Path] = []
        for folder in (BUILTIN, *folders):
            if not folder.is_dir():
                raise ConfigurationError(f"schema folder {folder} is not there")
            if folder != BUILTIN:
                strays += _strays(folder)
            for kind, path in _schema_files(folder):
                key = _key_of(path)
                if key in found:
                    raise ConfigurationError(f"{path}: {key} stands in {found[key]} already")
                other, where = kinds.setdefault(key.name, (kind, path))
                if other is not kind:
                    raise ConfigurationError(
                        f"{path}: {key.name} is the name of a {other} schema already, in {where}",
                        hint="give the schema another name: rows and payloads share one space of names",
                    )
                found[key] = path
                compiled.append(_compile(kind, key, path))
        registry = cls(compiled)
        registry._check_events(found)
        for path in strays:
            _log.warning(
                "file in a schema folder is not read",
                path=str(path),
                expected=" or ".join(f"{kind}/<name>/<version>.json" for kind in SchemaKind),
            )
        for schema in registry.all():
            for warning in schema.compiled.warnings:
                _log.warning(
                    "part of a schema has no effect", path=str(found[schema.key]), warning=warning
                )
        return registry

    def _check_events(self, paths: Mapping[SchemaKey, Path]) -> None:
        """Makes sure that each event that payloads are normalised into has a schema. Raises: ConfigurationError."""
        events = {str(each.key) for each in self.all(SchemaKind.EVENT)}
        for each in self.all(SchemaKind.PAYLOAD):
            event = getattr(each.compiled, "event", None)
            if event is not None and event not in events:
                raise ConfigurationError(
                    f"{paths[each.key]}: there is no schema of the event {event}",
                    hint=f"put it into {SchemaKind.EVENT}/{event}.json of a schema folder",
                )

    def find(self, name: str, version: str | None = None) -> RegisteredSchema:
        """Returns one version of any kind, or the newest. Raises: SchemaNotFound."""
        keys = [key for key in self._by_key if key.name == name and version in (None, key.version)]
        if not keys:
            wanted = "/".join(part for part in (name, version) if part)
            raise SchemaNotFound(f"no schema {wanted}")
        return self._by_key[keys[-1]]

    def rows(self, name: str, version: str | None = None) -> fastcsv.Schema:
        """Returns one version of a row schema, or the newest. Raises: SchemaNotFound."""
        compiled = self.of_kind(SchemaKind.CSV, name, version)
        assert isinstance(compiled, fastcsv.Schema)
        return compiled

    def of_kind(self, kind: SchemaKind, name: str, version: str | None = None) -> CompiledSchema:
        """Returns one version of a schema of a kind, or the newest. Raises: SchemaNotFound."""
        found = self.find(name, version)
        if found.kind is not kind:
            raise SchemaNotFound(f"{name} is a schema of another kind, {found.kind}")
        return found.compiled

    def all(self, kind: SchemaKind | None = None) -> list[RegisteredSchema]:
        """Returns every version of a kind, or of all, by name and then from old to new."""
        return [each for each in self._by_key.values() if kind in (None, each.kind)]

    def row_candidates(self, name: str | None, version: str | None) -> list[fastcsv.Schema]:
        """Returns the schemas that a header may fit, by the name and version that are given. Raises: UnknownSchema."""
        fitting = [
            each.compiled
            for key, each in self._by_key.items()
            if isinstance(each.compiled, fastcsv.Schema)
            and name in (None, key.name)
            and version in (None, key.version)
        ]
        if not fitting:
            raise self._unknown(SchemaKind.CSV, name, version, "open.schema")
        return fitting

    def payload_candidates(
        self, name: str | None, version: str | None, *, field: str = "open.schema"
    ) -> list[fastcsv.PayloadSchema]:
        """Returns the schemas that a payload may fit, by the name and version that are given. Raises: UnknownSchema."""
        fitting = self._payloads.get((name, version))
        if fitting is None:
            raise self._unknown(SchemaKind.PAYLOAD, name, version, field)
        return fitting

    def detect(self, header: Sequence[str]) -> fastcsv.Schema:
        """Returns the schema that fits a header best. Raises: HeaderRefused."""
        try:
            return fastcsv.detect(self.row_candidates(None, None), list(header))
        except fastcsv.HeaderError as error:
            raise HeaderRefused(
                str(error), hint=error.hint, metadata=header_facts(error)
            ) from error

    def detect_payload(
        self, schemas: Sequence[fastcsv.PayloadSchema], payload: bytes, bounds: Mapping[str, int]
    ) -> fastcsv.PayloadSchema:
        """Returns the schema of some that a payload fits by its structure. Raises: PayloadRefused."""
        try:
            return fastcsv.detect_payload(schemas, payload, **bounds)
        except fastcsv.DetectionError as error:
            raise PayloadRefused(
                str(error), hint=error.hint, metadata=detection_facts(error), field="schema"
            ) from error

    def _unknown(
        self, kind: SchemaKind, name: str | None, version: str | None, field: str
    ) -> UnknownSchema:
        """What is raised where no schema of a kind has the name and version that are given."""
        wanted = "/".join(part for part in (name, version) if part)
        known = ", ".join(str(key) for key, each in self._by_key.items() if each.kind is kind)
        judged = "rows" if kind is SchemaKind.CSV else "payloads"
        return UnknownSchema(
            f"no schema {wanted} of {judged}", hint=f"this daemon knows {known}", field=field
        )


def header_facts(error: fastcsv.HeaderError) -> dict[str, str]:
    """Returns the missing columns, the columns that may be meant for them, and the nearest schema."""
    similar = list(error.similar.items())[:FACTS]
    facts = {
        "missing_columns": ",".join(error.missing[:FACTS]),
        "similar_columns": ",".join(f"{found}={meant}" for found, meant in similar),
        "nearest_schema": error.nearest or "",
    }
    return {key: value for key, value in facts.items() if value}


def detection_facts(error: fastcsv.DetectionError) -> dict[str, str]:
    """Returns the reason of the engine, and what was tried: each schema, and what speaks against it."""
    tried = [
        f"{name}: {', '.join(against[:FACTS]) or 'fits'}"
        for name, against in itertools.islice(error.tried.items(), FACTS)
    ]
    return {"cause": error.reason, "tried": "; ".join(tried)}


def _schema_files(folder: Path) -> list[tuple[SchemaKind, Path]]:
    return [
        (kind, path) for kind in SchemaKind for path in sorted((folder / kind).glob("*/*.json"))
    ]


def _key_of(path: Path) -> SchemaKey:
    key = SchemaKey(path.parent.name, path.stem)
    if not NAME.fullmatch(key.name) or not VERSION.fullmatch(key.version):
        raise ConfigurationError(f"{path}: a schema stands in <name>/<major>.<minor>.json")
    return key


def _strays(folder: Path) -> list[Path]:
    """Returns files below a folder that are no `<kind>/<name>/<version>.json`, at most STRAYS_MAX."""
    files = (
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    strays = (
        path
        for path in files
        if not any(path.relative_to(folder).match(f"{kind}/*/*.json") for kind in SchemaKind)
    )
    return sorted(itertools.islice(strays, STRAYS_MAX))


def _compile(
    kind: SchemaKind, key: SchemaKey, path: Path
) -> tuple[CompiledSchema, str, SchemaKind]:
    try:
        text = path.read_text(encoding="utf-8")
        return kind.compile(text, key), text, kind
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    except fastcsv.SchemaError as error:
        raise ConfigurationError(f"{path}: {error}", hint=error.hint) from error
