"""The registry: every version of every row schema, compiled once at start.

A schema is the file `<folder>/csv/<name>/<version>.json`; its path gives its name and version. The folder that comes
with steward is read first, then those of the configuration. Two files for one version are refused. A document that does
not compile stops the start: a daemon must not start with fewer schemas than it is configured with.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import fastcsv
from stewardd.errors import ConfigurationError, HeaderRefused, SchemaNotFound, UnknownSchema
from stewardd.schemas.names import NAME, VERSION, SchemaKey
from stewardd.telemetry import logger

BUILTIN = Path(__file__).parent
ROW_KIND = "csv"
FACTS = 20
"""At most so many names in the metadata of an error, which has to fit in a gRPC trailer."""
STRAYS_MAX = 100

_log = logger("schemas")


class Registry:
    """Compiled row schemas by name and version. Immutable."""

    def __init__(self, schemas: Iterable[tuple[fastcsv.Schema, str]]) -> None:
        by_key = {
            SchemaKey(schema.name, schema.version): (schema, text) for schema, text in schemas
        }
        self._by_key = {key: by_key[key] for key in sorted(by_key, key=lambda key: key.order)}

    @classmethod
    def load(cls, folders: Sequence[Path] = ()) -> Registry:
        """Compiles the schemas in the folders. Raises: ConfigurationError, which names the file."""
        found: dict[SchemaKey, Path] = {}
        strays: list[Path] = []
        for folder in (BUILTIN, *folders):
            if not folder.is_dir():
                raise ConfigurationError(f"schema folder {folder} is not there")
            if folder != BUILTIN:
                strays += _strays(folder)
            for path in sorted((folder / ROW_KIND).glob("*/*.json")):
                key = SchemaKey(path.parent.name, path.stem)
                if not NAME.fullmatch(key.name) or not VERSION.fullmatch(key.version):
                    raise ConfigurationError(
                        f"{path}: a schema stands in <name>/<major>.<minor>.json"
                    )
                if key in found:
                    raise ConfigurationError(f"{path}: {key} stands in {found[key]} already")
                found[key] = path
        registry = cls(_compile(key, path) for key, path in found.items())
        for path in strays:
            _log.warning(
                "file in a schema folder is not read",
                path=str(path),
                expected=f"{ROW_KIND}/<name>/<version>.json",
            )
        for schema in registry.all():
            for warning in schema.warnings:
                key = SchemaKey(schema.name, schema.version)
                _log.warning(
                    "part of a schema has no effect", path=str(found[key]), warning=warning
                )
        return registry

    def get(self, name: str, version: str | None = None) -> fastcsv.Schema:
        """Returns one version, or the newest. Raises: SchemaNotFound."""
        return self._find(name, version)[0]

    def document(self, name: str, version: str) -> str:
        """Returns the JSON text of one version. Raises: SchemaNotFound."""
        return self._find(name, version)[1]

    def all(self) -> list[fastcsv.Schema]:
        """Returns every version, by name and then from old to new."""
        return [schema for schema, _ in self._by_key.values()]

    def candidates(self, name: str | None, version: str | None) -> list[fastcsv.Schema]:
        """Returns the schemas that a header may fit, by the name and version that are given. Raises: UnknownSchema."""
        fitting = [
            schema
            for schema in self.all()
            if name in (None, schema.name) and version in (None, schema.version)
        ]
        if not fitting:
            wanted = "/".join(part for part in (name, version) if part)
            known = ", ".join(str(key) for key in self._by_key)
            raise UnknownSchema(
                f"no schema {wanted}", hint=f"this daemon knows {known}", field="open.schema"
            )
        return fitting

    def detect(self, header: Sequence[str]) -> fastcsv.Schema:
        """Returns the schema that fits a header best. Raises: HeaderRefused."""
        try:
            return fastcsv.detect(self.all(), list(header))
        except fastcsv.HeaderError as error:
            raise HeaderRefused(
                str(error), hint=error.hint, metadata=header_facts(error)
            ) from error

    def _find(self, name: str, version: str | None) -> tuple[fastcsv.Schema, str]:
        keys = [key for key in self._by_key if key.name == name and version in (None, key.version)]
        if not keys:
            wanted = "/".join(part for part in (name, version) if part)
            raise SchemaNotFound(f"no schema {wanted}")
        return self._by_key[keys[-1]]


def header_facts(error: fastcsv.HeaderError) -> dict[str, str]:
    """Returns the missing columns, the columns that may be meant for them, and the nearest schema."""
    similar = list(error.similar.items())[:FACTS]
    facts = {
        "missing_columns": ",".join(error.missing[:FACTS]),
        "similar_columns": ",".join(f"{found}={meant}" for found, meant in similar),
        "nearest_schema": error.nearest or "",
    }
    return {key: value for key, value in facts.items() if value}


def _strays(folder: Path) -> list[Path]:
    """Returns files below a folder that are no `csv/<name>/<version>.json`, at most STRAYS_MAX."""
    files = (
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    strays = (path for path in files if not path.relative_to(folder).match(f"{ROW_KIND}/*/*.json"))
    return sorted(itertools.islice(strays, STRAYS_MAX))


def _compile(key: SchemaKey, path: Path) -> tuple[fastcsv.Schema, str]:
    try:
        text = path.read_text(encoding="utf-8")
        return fastcsv.Schema(text, name=key.name, version=key.version), text
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    except fastcsv.SchemaError as error:
        raise ConfigurationError(f"{path}: {error}", hint=error.hint) from error
