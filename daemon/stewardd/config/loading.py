"""Reads the settings: a TOML file, then the environment, then the command line; the last one wins.

This is the only file that reads the environment: `STEWARDD_<SECTION>__<KEY>`, lists separated by commas. Unknown keys
are fatal, wherever they stand. pydantic-settings reads the file and merges the sources. Its own source for the
environment is not used: it passes over a variable whose section does not exist, and reads lists as JSON.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    InitSettingsSource,
    PydanticBaseSettingsSource,
    TomlConfigSettingsSource,
)

from stewardd.config.misnamed import ENVIRONMENT_PREFIX, Origins, explain
from stewardd.config.section import Section, sections_in
from stewardd.config.settings import Settings
from stewardd.errors import ConfigurationError

OPTIONS = {
    "data_dir": "--data-dir",
    "server.listen": "--listen",
    "web.listen": "--web-listen",
    "postgres.databases.default": "--database-url",
}


def load(
    file: Path | None,
    overrides: Mapping[str, object],
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Builds the settings from file, environment and the command line's overrides (dotted keys).

    Raises: ConfigurationError, naming every key that is wrong, where it came from, and never its value.
    """
    variables = os.environ if environment is None else environment
    origins = Origins(file)
    lowest_first = [
        _from_file(file),
        _from_environment(variables, origins),
        _from_command_line(overrides, origins),
    ]
    for source in lowest_first:
        _require_table(source(), Settings, (), origins)
    if not any("data_dir" in source() for source in lowest_first):
        folder = default_data_dir(variables, is_root=os.geteuid() == 0)
        lowest_first.insert(0, InitSettingsSource(Settings, {"data_dir": folder}))
    try:
        return Settings(_build_sources=(tuple(reversed(lowest_first)), {}))  # type: ignore[call-arg]  # BaseSettings has it
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise ConfigurationError(
            "; ".join(explain(each, Settings, origins) for each in found)
        ) from None


def default_data_dir(environment: Mapping[str, str], *, is_root: bool) -> Path:
    """Returns the data folder of a daemon that was told of none (XDG Base Directory Specification for users).

    Raises: ConfigurationError where a user has no home.
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


class _TomlFile(TomlConfigSettingsSource):
    """The file that was named. The library by itself passes over a file that is missing, and over a pipe."""

    @staticmethod
    def _existing_files(files: Any) -> list[Any]:
        return [files]


def _from_file(file: Path | None) -> PydanticBaseSettingsSource:
    if file is None:
        return InitSettingsSource(Settings, {})
    try:
        return _TomlFile(Settings, file)
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: not TOML: {error}") from error


def _from_environment(variables: Mapping[str, str], origins: Origins) -> PydanticBaseSettingsSource:
    tree: dict[str, Any] = {}
    for name, text in sorted(variables.items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            _put(tree, path, _from_text(path, text), name)
            origins.note(path, name)
    return InitSettingsSource(Settings, tree)


def _from_command_line(
    overrides: Mapping[str, object], origins: Origins
) -> PydanticBaseSettingsSource:
    tree: dict[str, Any] = {}
    for dotted, value in overrides.items():
        _put(tree, dotted.split("."), value, dotted)
        origins.note(dotted.split("."), OPTIONS.get(dotted, dotted))
    return InitSettingsSource(Settings, tree)


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


def _require_table(
    value: object, section: type[BaseModel], path: tuple[str, ...], origins: Origins
) -> None:
    """Refuses a plain value in the place of a section: merged, it would silently give way to one from elsewhere."""
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{origins.named(path)}: it is a section, not a setting")
    for name, info in section.model_fields.items():
        for inner, keyed in sections_in(info.annotation):
            if name in value and keyed and isinstance(value[name], Mapping):
                for key, each in value[name].items():
                    _require_table(each, inner, (*path, name, key), origins)
            elif name in value:
                _require_table(value[name], inner, (*path, name), origins)
