"""What the acceptance tests say again and again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import grpc
import pytest

from tests.support.calls import Refusal, refusal, responses

LANGUAGE = b"session_id,participant_email,volunteer_email,scheduled_at,rating\n"

# Validation needs no database, and a start without the embedded one is quick.
NO_DATABASE = {"STEWARDD_POSTGRES__DATABASES__MAIN__URL": "postgresql://nobody@127.0.0.1:1/nothing"}


def rows(count: int, *, bad_every: int = 0) -> bytes:
    """Rows under the header LANGUAGE; every so many a rating of 1.7."""
    return b"".join(
        b"S%d,ana%d@example.org,bo@example.org,2025-03-01,%s\n"
        % (n, n, b"1.7" if bad_every and n % bad_every == 0 else b"0.5")
        for n in range(1, count + 1)
    )


@contextmanager
def refused() -> Iterator[list[Refusal]]:
    """Expects a gRPC error; it is in the list afterwards."""
    found: list[Refusal] = []
    with pytest.raises(grpc.RpcError) as caught:
        yield found
    found.append(refusal(caught.value))


def refusal_of(address: str, messages: Iterable[object]) -> Refusal:
    """Sends the messages, expects to be refused, and says how."""
    with refused() as found:
        list(responses(address, messages))  # type: ignore[arg-type]
    return found[0]
