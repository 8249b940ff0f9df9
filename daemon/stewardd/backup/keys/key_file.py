"""Files with private keys: for their owner alone, written once, durable before they are used."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stewardd.errors import ConfigurationError

_MAX_BYTES = 1 << 20


def read_key_file(file: Path) -> bytes:
    """Reads a key file. Raises: ConfigurationError where it cannot be read, or others may read it."""
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            text = stream.read(_MAX_BYTES)
    except OSError as error:
        raise ConfigurationError(f"the key file {file} cannot be read: {error.strerror}") from None
    if mode & stat.S_IRWXO:
        raise ConfigurationError(
            f"everybody may read the key file {file}", hint=f"chmod 600 {file}"
        )
    return text


def read_or_make(file: Path, make: Callable[[], bytes]) -> bytes:
    """Reads the key that the daemon made earlier, or makes it. Raises: ConfigurationError."""
    if file.exists():
        return read_key_file(file)
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        _write_once(file, make())
    except OSError as error:
        raise ConfigurationError(
            f"the key file {file} cannot be written: {error.strerror}"
        ) from None
    return read_key_file(file)


def _write_once(file: Path, text: bytes) -> None:
    """Writes it under another name first: a key that a crash cut short would look like one."""
    new = file.with_name(file.name + ".new")
    with suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.link(new, file)
    new.unlink()
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
