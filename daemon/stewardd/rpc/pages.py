"""Page sizes (AIP-158): 0 means the default, too many means the most, a negative one is an error."""

from __future__ import annotations

from stewardd.errors import InvalidRequest

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


def page_size_of(requested: int) -> int:
    """Returns how many items a page may hold."""
    if requested < 0:
        raise InvalidRequest("page_size must not be negative", field="page_size")
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
