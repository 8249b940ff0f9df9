"""A manifest is read strictly, and only as its signer wrote it: what is not just so is Corrupt."""

from __future__ import annotations

import contextlib
import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.backup.keys.signing import SigningKey
from stewardd.backup.manifest.backup import (
    USUAL_COMPRESSION,
    BackupManifest,
    DumpForm,
    Encryption,
    Globals,
    Segment,
)
from stewardd.backup.manifest.codec import BACKUP_MANIFEST, SIGNED_MANIFEST
from stewardd.backup.manifest.first_version import FIRST_MANIFEST, FirstBackupManifest
from stewardd.errors import Corrupt
from stewardd.repository.document import Codec

ID = "019aabcd-0000-7000-8000-000000000000"
WHEN = datetime(2026, 11, 23, 18, 0, 0, 123000, UTC)
KEY = SigningKey.generate()
FIRST = FirstBackupManifest(
    backup_id=ID,
    database="main",
    description="before the move",
    snapshot_time=WHEN,
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
MANIFEST = BackupManifest(
    backup_id=ID,
    database="main",
    description="before the move",
    snapshot_time=WHEN,
    create_time=datetime(2026, 11, 23, 18, 1, tzinfo=UTC),
    elapsed_s=60.0,
    database_size_bytes=8_000_000,
    dump_size_bytes=5_000_000,
    dump_sha256="a" * 64,
    server_version="18.6",
    tool_version="18.6",
    form=DumpForm.CUSTOM,
    compression=USUAL_COMPRESSION,
    encryption=Encryption.NONE,
    globals=Globals.NONE,
    segments=(Segment("segment-000000", 700, "b" * 64), Segment("segment-000001", 42, "c" * 64)),
    stored_size_bytes=742,
    signer=KEY.public_key,
)
CODECS: dict[str, tuple[Codec[Any], Any]] = {
    "first": (FIRST_MANIFEST, FIRST),
    "second": (BACKUP_MANIFEST, MANIFEST),
}
FIELDS = [
    (which, name)
    for which, (codec, value) in CODECS.items()
    for name in sorted(set(codec.to_json(value)) - {"format"})
]
TEXTS = ("database", "description", "server_version", "tool_version", "signer", "snapshot")
OPTIONAL = (
    "recipients", "selection", "proof", "schema_sha256", "contents", "source", "timings", "globals_object",
)  # fmt: skip


def document(which: str = "second") -> dict[str, Any]:
    codec, value = CODECS[which]
    return codec.to_json(value)


def read(found: dict[str, Any]) -> BackupManifest:
    return BACKUP_MANIFEST.decode(json.dumps(found, separators=(",", ":")).encode(), ID)


def signed() -> bytes:
    return SIGNED_MANIFEST.encode(MANIFEST, KEY)


def test_what_is_written_is_read_back():
    assert read(document()) == MANIFEST
    assert SIGNED_MANIFEST.decode(signed(), ID) == MANIFEST
    assert json.loads(signed()).keys() - document().keys() == {"signature"}


def test_version_1_is_read_as_a_backup_that_nobody_signed():
    body = FIRST_MANIFEST.encode(FIRST)
    for found in (SIGNED_MANIFEST.decode(body, ID), BACKUP_MANIFEST.decode(body, ID)):
        assert found.signer == ""
        assert found == replace(
            MANIFEST,
            signer="",
            compression=replace(USUAL_COMPRESSION, level=0),
        )


@pytest.mark.parametrize(("which", "name"), FIELDS)
@pytest.mark.parametrize("value", [None, [], {}, -1, True, "x"])
def test_a_field_of_another_kind_is_corrupt_or_a_text(which, name, value):
    if (name in TEXTS and value == "x" and name != "signer") or name in OPTIONAL:
        return
    with pytest.raises(Corrupt, match=ID):
        read(document(which) | {name: value})


@pytest.mark.parametrize(("which", "name"), FIELDS)
def test_a_field_that_is_missing_is_corrupt(which, name):
    bad = document(which)
    del bad[name]
    if name in OPTIONAL:
        assert read(bad) == MANIFEST
        return
    with pytest.raises(Corrupt):
        read(bad)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 3}, "version 3"),
        ({"stored_size_bytes": 741}, "don't add up"),
        ({"snapshot_time": "2026-11-23T18:00:00"}, "without a zone"),
        ({"dump_sha256": "A" * 64}, "SHA-256"),
        ({"dump_sha256": None}, "no checksum of the dump"),
        ({"backup_id": "main"}, "no identifier"),
        ({"signer": "nobody"}, "no public key"),
        ({"encryption": "age"}, "recipients don't fit"),
        ({"recipients": ["age1xyz", "../x"]}, "no recipient"),
    ],
)
def test_what_is_wrong_is_said(change, says):
    with pytest.raises(Corrupt, match=says):
        read(document() | change)


@pytest.mark.parametrize("which", CODECS)
@pytest.mark.parametrize(
    "name", ["../secret", "segment-1", "segment-000000/x", "manifest.json", "contents", ""]
)
def test_a_segment_cannot_point_anywhere_else(which, name):
    bad = copy.deepcopy(document(which))
    bad["segments"][0]["name"] = name
    with pytest.raises(Corrupt, match="no name of a segment"):
        read(bad)


def test_a_segment_named_twice_is_corrupt():
    bad = document()
    bad["segments"][1] = bad["segments"][0]
    bad["stored_size_bytes"] = 1400
    with pytest.raises(Corrupt, match="twice"):
        read(bad)


@given(st.integers(0, len(signed()) - 1), st.integers(1, 255))
def test_a_signed_manifest_of_which_one_byte_is_altered_is_corrupt(place, difference):
    body = bytearray(signed())
    body[place] ^= difference
    with pytest.raises(Corrupt):
        SIGNED_MANIFEST.decode(bytes(body), ID)


def test_an_unsigned_manifest_of_version_2_is_corrupt():
    with pytest.raises(Corrupt, match="is not signed"):
        SIGNED_MANIFEST.decode(BACKUP_MANIFEST.encode(MANIFEST), ID)


def test_a_manifest_that_another_key_signed_in_its_signers_name_is_corrupt():
    other = SigningKey.generate()
    forged = SIGNED_MANIFEST.encode(replace(MANIFEST, signer=other.public_key), other)
    stolen = forged.replace(other.public_key.encode(), KEY.public_key.encode())
    with pytest.raises(Corrupt, match="was altered"):
        SIGNED_MANIFEST.decode(stolen, ID)
    with pytest.raises(ValueError, match="another signer"):
        SIGNED_MANIFEST.encode(MANIFEST, other)


@pytest.mark.parametrize("addition", [b" ", b"\n", b"{}", b',"signature":"' + b"0" * 128 + b'"}\n'])
def test_what_stands_behind_the_signature_makes_a_manifest_corrupt(addition):
    with pytest.raises(Corrupt):
        SIGNED_MANIFEST.decode(signed() + addition, ID)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(FIELDS), JSON)
def test_whatever_stands_in_a_field_it_is_read_or_corrupt_and_nothing_else(field, value):
    which, name = field
    with contextlib.suppress(Corrupt):
        read(document(which) | {name: value})
