"""A manifest is read strictly: what is not just so is Corrupt."""

from __future__ import annotations

import contextlib
import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.backup.manifest import BACKUP_MANIFEST, BackupManifest, Segment
from stewardd.errors import Corrupt

ID = "019aabcd-0000-7000-8000-000000000000"
MANIFEST = BackupManifest(
    backup_id=ID,
    database="main",
    description="before the move",
    snapshot_time=datetime(2026, 11, 23, 18, 0, 0, 123000, UTC),
    create_time=datetime(2026, 11, 23, 18, 1, tzinfo=UTC),
    elapsed_s=60.0,
    database_size_bytes=8_000_000,
    dump_size_bytes=5_000_000,
    dump_sha256="a" * 64,
    server_version="18.6",
    tool_version="18.6",
    segments=(Segment("segment-000000", 700, "b" * 64), Segment("segment-000001", 42, "c" * 64)),
    stored_size_bytes=742,
)
NAMES = sorted(set(BACKUP_MANIFEST.to_json(MANIFEST)) - {"format"})


def document() -> dict[str, Any]:
    return BACKUP_MANIFEST.to_json(MANIFEST)


def read(found: dict[str, Any]) -> BackupManifest:
    return BACKUP_MANIFEST.decode(json.dumps(found).encode(), ID)


def test_what_is_written_is_read_back():
    assert read(document()) == MANIFEST
    assert MANIFEST.stored_size_bytes == 742


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [None, [], {}, -1, True, "x"])
def test_a_field_of_another_kind_is_corrupt_or_a_text(name, value):
    bad = document() | {name: value}
    if isinstance(value, str) and name in (
        "database",
        "description",
        "server_version",
        "tool_version",
    ):
        read(bad)
        return
    if name == "elapsed_s" and value == -1 and value is not True:
        return
    with pytest.raises(Corrupt, match=ID):
        read(bad)


@pytest.mark.parametrize("name", NAMES)
def test_a_field_that_is_missing_is_corrupt(name):
    bad = document()
    del bad[name]
    with pytest.raises(Corrupt):
        read(bad)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "version 2"),
        ({"stored_size_bytes": 741}, "don't add up"),
        ({"snapshot_time": "2026-11-23T18:00:00"}, "without a zone"),
        ({"dump_sha256": "A" * 64}, "SHA-256"),
        ({"backup_id": "main"}, "no identifier"),
    ],
)
def test_what_is_wrong_is_said(change, says):
    with pytest.raises(Corrupt, match=says):
        read(document() | change)


@pytest.mark.parametrize(
    "name", ["../secret", "segment-1", "segment-000000/x", "manifest.json", ""]
)
def test_a_segment_cannot_point_anywhere_else(name):
    bad = copy.deepcopy(document())
    bad["segments"][0]["name"] = name
    with pytest.raises(Corrupt, match="no name of a segment"):
        read(bad)


def test_a_segment_named_twice_is_corrupt():
    bad = document()
    bad["segments"][1] = bad["segments"][0]
    bad["stored_size_bytes"] = 1400
    with pytest.raises(Corrupt, match="twice"):
        read(bad)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(NAMES), JSON)
def test_whatever_stands_in_a_field_it_is_read_or_corrupt_and_nothing_else(name, value):
    with contextlib.suppress(Corrupt):
        read(document() | {name: value})
