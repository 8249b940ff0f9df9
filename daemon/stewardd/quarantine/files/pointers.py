"""JSON Pointers (RFC 6901) as fields of payloads. In a pattern `*` stands for one token, whatever it is.

Patterns are the members of a schema (`/users/*/email`), and the fields by which a batch counts its violations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ANY = "*"
ROW = "_row"
"""The field of a violation that concerns the payload as a whole."""
OTHER = "_other"
"""The field under which a batch counts violations in more places than it lists."""


def matches(pattern: str, pointer: str) -> bool:
    """Whether a pointer is one that a pattern stands for."""
    if pattern == pointer:
        return True
    if ANY not in pattern or not pattern.startswith("/"):
        return False
    return _alike(pattern.split("/"), pointer.split("/"))


class PersonalPointers:
    """The places of personal data in payloads of one schema."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [each.split("/") for each in patterns]

    def covers(self, pointer: str) -> bool:
        """Whether the value at a pointer is personal data, or is a part of it."""
        tokens = pointer.split("/")
        return any(_alike(each, tokens[: len(each)]) for each in self._patterns)

    def touches(self, pointer: str) -> bool:
        """Whether the value at a pointer is personal data, is a part of it, or holds some."""
        if pointer == ROW:
            return bool(self._patterns)
        tokens = pointer.split("/")
        return any(_alike(each[: len(tokens)], tokens[: len(each)]) for each in self._patterns)


def _alike(pattern: Sequence[str], tokens: Sequence[str]) -> bool:
    return len(pattern) == len(tokens) and all(
        one in (ANY, other) for one, other in zip(pattern, tokens, strict=True)
    )
