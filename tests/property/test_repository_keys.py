"""Keys, identifiers and listings, against plain Python as the oracle."""

from __future__ import annotations

import asyncio
import string
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stewardd.errors import InvalidRequest
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.backend.keys import key_segments
from stewardd.repository.identifiers import created_at, day_of, is_id, uuid7

ALPHABET = string.ascii_letters + string.digits + "._=-"
MOMENTS = st.integers(0, 253_402_300_799_999)

segments = st.text("ab.-=_0", min_size=1, max_size=3).filter(lambda text: text.strip("."))
keys = st.lists(segments, min_size=1, max_size=3).map("/".join)


@given(MOMENTS, st.binary(min_size=10, max_size=10))
def test_an_identifier_is_a_uuid_of_version_7_that_knows_its_moment(
    milliseconds: int, entropy: bytes
) -> None:
    identifier = uuid7(lambda: (milliseconds + 0.5) / 1000, lambda _: entropy)
    uuid = UUID(identifier)
    assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
    assert uuid.int >> 80 == milliseconds
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    assert created_at(identifier).replace(microsecond=0) == moment
    assert day_of(identifier) == moment.strftime("%Y-%m-%d").zfill(10)
    assert is_id(identifier)


@given(MOMENTS, MOMENTS)
def test_identifiers_and_their_days_sort_by_time(one: int, other: int) -> None:
    first = uuid7(lambda: (one + 0.5) / 1000)
    second = uuid7(lambda: (other + 0.5) / 1000)
    if one < other:
        assert first < second
        assert day_of(first) <= day_of(second)


@given(st.integers(0, 1_000_000))
def test_identifiers_of_one_moment_differ(milliseconds: int) -> None:
    made = {uuid7(lambda: milliseconds / 1000) for _ in range(100)}
    assert len(made) == 100


@given(
    st.text(max_size=40)
    | st.uuids().map(str)
    | st.uuids(version=4).map(lambda uuid: str(uuid).upper())
)
def test_what_is_no_identifier_has_no_day(text: str) -> None:
    if not is_id(text):
        with pytest.raises(InvalidRequest):
            day_of(text)


@given(st.text(max_size=30))
def test_a_key_is_plain_or_a_bug(text: str) -> None:
    plain = all(
        segment and set(segment) <= set(ALPHABET) and segment not in (".", "..")
        for segment in text.split("/")
    )
    if plain:
        assert "/".join(key_segments(text)) == text
    else:
        with pytest.raises(ValueError):
            key_segments(text)


@settings(max_examples=60, deadline=None)
@given(st.sets(keys, max_size=12), keys, st.none() | keys)
def test_a_local_listing_is_what_sorting_the_keys_gives(
    wanted: set[str], folder: str, start_after: str | None
) -> None:
    # No key may be a folder of another: a file system cannot have both.
    chosen: list[str] = []
    for key in sorted(wanted):
        if not any(key.startswith(f"{other}/") for other in chosen):
            chosen.append(key)

    async def check() -> None:
        with tempfile.TemporaryDirectory() as root:
            store = FolderStore(Path(root))
            for key in chosen:
                await store.put(key, b"x")
            for prefix in ("", folder):
                below = [key for key in chosen if not prefix or key.startswith(f"{prefix}/")]
                found = [each.key async for each in store.list(prefix, start_after=start_after)]
                assert found == sorted(key for key in below if key > (start_after or ""))
                depth = len(prefix.split("/")) if prefix else 0
                children = {key.split("/")[depth] for key in below if key.count("/") > depth}
                assert await store.folders(prefix) == sorted(children)
            removed = [key for key in chosen if key.startswith(f"{folder}/")]
            assert await store.delete_prefix(folder) == len(removed)
            left = [each.key async for each in store.list("")]
            assert left == sorted(set(chosen) - set(removed))

    asyncio.run(check())
