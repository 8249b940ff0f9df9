"""Pages of listings (AIP-158).

Of a page size, 0 means the default, too many means the most, a negative one is an error. The tokens here are of
listings by name: a token holds its listing and the last name of the page before, so that one of another is refused.
"""

from __future__ import annotations

import base64
import binascii

from stewardd.errors import InvalidRequest

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


def page_size_of(requested: int) -> int:
    """Returns how many items a page may hold."""
    if requested < 0:
        raise InvalidRequest("page_size must not be negative", field="page_size")
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def token_after(listing: str, last_name: str) -> str:
    """Returns the token of the page that begins after a name; "" where there is none."""
    if not last_name:
        return ""
    return base64.urlsafe_b64encode(f"{listing}/{last_name}".encode()).decode()


def last_name_of(listing: str, token: str) -> str:
    """Returns the name after which a page begins; "" for the first. Raises: InvalidRequest."""
    if not token:
        return ""
    try:
        text = base64.b64decode(token, b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            "the page token is none that was given out here", field="page_token"
        ) from None
    head, _, last_name = text.partition("/")
    if head != listing or not last_name:
        raise InvalidRequest("the page token belongs to another listing", field="page_token")
    return last_name
