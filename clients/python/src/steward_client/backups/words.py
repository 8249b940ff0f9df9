"""The enums of BackupService. A value that only a newer daemon knows is UNKNOWN."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar


class BackupForm(StrEnum):
    """How pg_dump wrote a backup: one stream, or a folder of files."""

    UNKNOWN = "unknown"
    CUSTOM = "custom"
    DIRECTORY = "directory"


class BackupCompression(StrEnum):
    """How each segment of a backup is compressed."""

    UNKNOWN = "unknown"
    ZSTD = "zstd"
    GZIP = "gzip"
    NONE = "none"


class BackupProof(StrEnum):
    """How far a backup is proven. PENDING: nobody has restored it yet."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    VERIFIED = "verified"
    CORRUPT = "corrupt"
    COULD_NOT_RUN = "could_not_run"
    UNVERIFIABLE = "unverifiable"


class SourceOutcome(StrEnum):
    """Whether damage was found in the files of a database."""

    UNKNOWN = "unknown"
    SOUND = "sound"
    DAMAGED = "damaged"
    COULD_NOT_RUN = "could_not_run"


class BackupProofMode(StrEnum):
    """What was read of each table, in the snapshot of the dump, to compare a restore with."""

    UNKNOWN = "unknown"
    HASH = "hash"
    COUNT = "count"
    NONE = "none"


class BackupGlobals(StrEnum):
    """Whether the server's roles and tablespaces lie beside a backup."""

    UNKNOWN = "unknown"
    NONE = "none"
    COMPLETE = "complete"
    WITHOUT_PASSWORDS = "without_passwords"


class BackupRepository(StrEnum):
    """The repository in which backups are made, or the second one, which has the copies."""

    UNKNOWN = "unknown"
    FIRST = "first"
    SECOND = "second"


_Word = TypeVar("_Word", bound=StrEnum)


def word_of(words: type[_Word], kind: Any, value: int) -> _Word:
    """The word of an enum's value; the contract's name is the enum's own, and then the word."""
    name = kind.DESCRIPTOR.values_by_number.get(value)
    prefix = kind.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    word = name.name.removeprefix(prefix).lower() if name else ""
    return words(word) if word in {each.value for each in words} else words("unknown")


def value_of(kind: Any, word: StrEnum | None) -> Any:
    """The value of an enum of the contract that is called as a word; that of "not said" for None."""
    if word is None:
        return 0
    prefix = kind.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return kind.Value(f"{prefix}{word.value.upper()}")
