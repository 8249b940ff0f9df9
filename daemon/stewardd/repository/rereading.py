"""Reading a thing that may be rewritten meanwhile: the one loop for all that read a batch's log, rows or files.

A rewriting puts new objects, then a commit that names them, and then removes the old ones. So a reader that read the
log before that commit may find an object gone, and looks again: a thing that was rewritten is read anew. One that was
not lacks an object that it should have, and only that is Corrupt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stewardd.errors import BatchRewritten, Corrupt, ObjectNotFound
from stewardd.repository.attempts import Overtaken, repeat_while_overtaken

View = TypeVar("View")
T = TypeVar("T")
# Each attempt after the first was overtaken by a whole rewriting; so many in a row do not happen by chance.
ATTEMPTS = 64


class _ObjectsReplaced(Overtaken):
    """A rewriting replaced the objects that were being read."""


async def reread(
    look: Callable[[], Awaitable[View]],
    version: Callable[[View], object],
    work: Callable[[View], Awaitable[T]],
) -> T:
    """Does work on what `look` returns. Where an object is gone and the version is another, it looks and works anew.

    Raises: Corrupt where the version is the same and an object is gone; BatchRewritten where others rewrite all the
    time; and what `look` and `work` raise.
    """
    seen = await look()

    async def attempt() -> T:
        nonlocal seen
        try:
            return await work(seen)
        except ObjectNotFound as error:
            now = await look()
            if version(now) == version(seen):
                raise _missing(error) from error
            seen = now
            raise _ObjectsReplaced from error

    return await repeat_while_overtaken(
        attempt,
        _ObjectsReplaced,
        attempts=ATTEMPTS,
        failure=BatchRewritten("others rewrite this batch all the time", retry_after_s=1),
    )


async def cut_short(
    look: Callable[[], Awaitable[object]], was: object, error: ObjectNotFound
) -> BatchRewritten | Corrupt:
    """Returns what to raise for a stream that finds an object gone after its first bytes went out.

    Such a stream cannot begin anew. `look` returns the version as it is now, `was` is that of what went out.
    """
    if await look() == was:
        return _missing(error)
    return BatchRewritten("the batch was rewritten while its rows or files were being sent")


def _missing(error: ObjectNotFound) -> Corrupt:
    return Corrupt(f"{error.message}, and what names it was not rewritten")
