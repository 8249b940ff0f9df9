"""The options of a file, which the caller gives. The limits of all files are in `validation` of the settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a file is read and validated; see ValidateOptions in the contract."""

    delimiter: str | None = None
    strict: bool = False
    accept_recovered: bool = False
    keep_valid_rows: bool = False
