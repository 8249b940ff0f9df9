"""The types of values in a manifest that have a form of their own."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SEGMENT = re.compile(r"segment-\d{6,}", re.ASCII)
_RECIPIENT = re.compile(r"age1[0-9a-z]{6,120}", re.ASCII)


def _sha256(value: str) -> str:
    if _SHA256.fullmatch(value) is None:
        raise ValueError("is no SHA-256")
    return value


def _segment_name(value: str) -> str:
    if _SEGMENT.fullmatch(value) is None:
        raise ValueError("is no name of a segment")
    return value


def _signer(value: str) -> str:
    if value and _SHA256.fullmatch(value) is None:  # as long as a SHA-256: 32 bytes
        raise ValueError("is no public key")
    return value


def _recipient(value: str) -> str:
    if _RECIPIENT.fullmatch(value) is None:
        raise ValueError("is no recipient")
    return value


Sha256 = Annotated[str, AfterValidator(_sha256)]
SegmentName = Annotated[str, AfterValidator(_segment_name)]
Signer = Annotated[str, AfterValidator(_signer)]
RecipientText = Annotated[str, AfterValidator(_recipient)]
