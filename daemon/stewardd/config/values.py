"""The types of values that several settings share, and how each is read from what a person wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
LEAST_BANDWIDTH = 64 * KIB
_ADDRESS = r"^(unix:.+|[^:]+:\d{1,5}|\[[^\]]+\]:\d{1,5})$"
_LARGEST_PORT = 65_535


class SecretFromFile(SecretStr):
    """A secret that stands in a file, where it may be rotated."""

    def __init__(self, file: Path) -> None:
        try:
            super().__init__(file.read_text(encoding="utf-8").rstrip("\r\n"))
        except OSError as error:
            raise ValueError(f"the secret's file cannot be read: {error.strerror}") from None
        self._file = file

    def read_anew(self) -> SecretFromFile:
        """Returns what the file holds now. Raises: ValueError."""
        return SecretFromFile(self._file)


def _read_secret(value: object) -> object:
    """Takes `{ file = PATH }` for the text of that file, without its last line end."""
    if isinstance(value, Mapping) and set(value) == {"file"}:
        return SecretFromFile(Path(str(value["file"])))
    return value


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


def _read_address(text: str) -> str:
    """HOST:PORT or unix:PATH; grpc would take a port of 99999 for 34463."""
    port = text.rpartition(":")[2]
    if re.fullmatch(_ADDRESS, text) is None or (
        not text.startswith("unix:") and int(port) > _LARGEST_PORT
    ):
        raise ValueError(f"{text!r} is not of the form HOST:PORT or unix:PATH")
    return text


def _read_http_address(text: str) -> str:
    """HOST:PORT, or nothing for no port."""
    if text.startswith("unix:"):
        raise ValueError("the HTTP port is no unix socket; it takes HOST:PORT, or nothing")
    return _read_address(text) if text else ""


def _read_time_zone(text: str) -> str:
    """A name of the IANA time zone database; the database itself says what there is."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {text[:64]!r}; they are named like Europe/Berlin"
        ) from None
    return text


def _read_mode(value: object) -> object:
    """Takes 0660, "0660" and 0o660 for one mode; it must let the daemon's own user in."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value:04o}"
    if not isinstance(value, str) or re.fullmatch(r"(0o?)?[67][0-7]{2}", value) is None:
        raise ValueError('it is not of the form "0660": octal, and with 6 or 7 for the owner')
    return f"0{value[-3:]}"


def _read_bandwidth(bytes_per_second: int) -> int:
    """Nothing for no bound; a bound that lets hardly anything through is a slip of the pen."""
    if bytes_per_second and bytes_per_second < LEAST_BANDWIDTH:
        raise ValueError(f"it is less than {LEAST_BANDWIDTH} bytes a second; 0 is no bound")
    return bytes_per_second


Secret = Annotated[SecretStr, BeforeValidator(_read_secret)]
Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]
Bandwidth = Annotated[int, Field(ge=0), AfterValidator(_read_bandwidth)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrNever = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Folder = Annotated[Path, BeforeValidator(_read_folder)]
Location = Annotated[str, BeforeValidator(_read_location)]
Address = Annotated[str, AfterValidator(_read_address)]
HttpAddress = Annotated[str, AfterValidator(_read_http_address)]
TimeZone = Annotated[str, AfterValidator(_read_time_zone)]
SocketMode = Annotated[str, BeforeValidator(_read_mode)]
