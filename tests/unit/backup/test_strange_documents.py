"""Documents of a backup that a newer daemon wrote, or that name files outside of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.keys.signing import SigningKey
from stewardd.backup.manifest.backup import (
    BackupManifest,
    Compression,
    CompressionMethod,
    DumpForm,
    Encryption,
    Globals,
    Segment,
    StoredContents,
)
from stewardd.backup.manifest.codec import SIGNED_MANIFEST
from stewardd.backup.manifest.contents import BACKUP_CONTENTS, BackupContents, DumpFile, Piece
from stewardd.backup.proof import ProofState
from stewardd.backup.restoring.archive_head import read_head
from stewardd.backup.verifying.trial import BackupTrials, TrialOptions
from stewardd.errors import Corrupt, DocumentTooNew
from stewardd.postgres.scratch import ScratchServers
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.identifiers import folder_of, uuid7

KEY = SigningKey.generate()
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def number(value: int) -> bytes:
    return bytes([value < 0]) + abs(value).to_bytes(4, "little")


def text(value: str) -> bytes:
    return number(len(value)) + value.encode()


def table_of_contents(file: str) -> bytes:
    """That of a folder with the rows of one table, in a file of this name, as pg_dump 18 writes it."""
    head = b"PGDMP" + bytes([1, 16, 0, 4, 8, 3, 0]) + number(0) * 7
    said = text("shop") + text("18.6") + text("18.6") + number(1)
    entry = (
        number(7) + number(1) + text("0") + text("16400") + text("t") + text("TABLE DATA")
        + number(3) + text("") + text("") + text("COPY t FROM stdin;\n") + text("public")
        + text("") + text("") + number(0) + text("mia") + text("false") + number(-1) + text(file)
    )  # fmt: skip
    return head + said + entry


async def store_folder(store: FolderStore, toc: bytes) -> tuple[BackupManifest, BackupContents]:
    """Puts a backup of the form `directory`, neither compressed nor encrypted, that holds a table of contents."""
    backup_id = uuid7()
    digest = hashlib.sha256(toc).hexdigest()
    contents = BackupContents(
        DumpForm.DIRECTORY,
        files=(DumpFile("toc.dat", len(toc), digest, (Piece(0, 0, len(toc)),)),),
    )
    body = BACKUP_CONTENTS.encode(contents)
    folder = folder_of("backups", backup_id)
    await store.put(f"{folder}/segment-000000", toc)
    await store.put(f"{folder}/contents", body)
    manifest = BackupManifest(
        backup_id=backup_id,
        database="main",
        description="",
        snapshot_time=NOW,
        create_time=NOW,
        elapsed_s=1.0,
        database_size_bytes=8000,
        dump_size_bytes=len(toc),
        dump_sha256=None,
        server_version="18.6",
        tool_version="18.6",
        form=DumpForm.DIRECTORY,
        compression=Compression(CompressionMethod.NONE),
        encryption=Encryption.NONE,
        globals=Globals.NONE,
        contents=StoredContents(len(body), hashlib.sha256(body).hexdigest(), 0, 0, 0),
        segments=(Segment("segment-000000", len(toc), digest),),
        stored_size_bytes=len(toc),
        signer=KEY.public_key,
    )
    await store.put(f"{folder}/manifest.json", SIGNED_MANIFEST.encode(manifest, KEY))
    return manifest, contents


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "3012.dat/../x", ".."])
async def test_a_path_out_of_the_archive_is_corrupt_before_anything_opens_it(tmp_path, name):
    store = FolderStore(tmp_path / "repository")
    manifest, contents = await store_folder(store, table_of_contents(name))
    with pytest.raises(Corrupt, match=r"names a file .* that it does not have"):
        await read_head(store, manifest, contents, (), tmp_path)


async def test_a_file_of_the_archive_is_read_by_its_name(tmp_path):
    store = FolderStore(tmp_path / "repository")
    manifest, contents = await store_folder(store, table_of_contents("3012.dat"))
    (toc,) = contents.files
    both = replace(contents, files=(toc, replace(toc, name="3012.dat")))
    (entry,) = (await read_head(store, manifest, both, (), tmp_path)).entries
    assert (entry.name, entry.kind, entry.file) == ("t", "TABLE DATA", "3012.dat")
    assert list(tmp_path.glob("restore-plan-*")) == []


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "..", ".", "", "a\0b", "a\\b"])
def test_a_file_of_the_contents_leads_nowhere_else(name):
    found = BACKUP_CONTENTS.to_json(
        BackupContents(DumpForm.DIRECTORY, files=(DumpFile("toc.dat", 0, "a" * 64, ()),))
    )
    found["files"][0]["name"] = name
    with pytest.raises(Corrupt, match="no name of a file"):
        BACKUP_CONTENTS.from_json(found, "contents")


def trials(store: FolderStore, folder: Path) -> BackupTrials:
    options = TrialOptions(str(store.root), staging_dir=folder)
    return BackupTrials(store, ScratchServers(folder), Keyring(KEY), options, lambda: NOW)


async def test_what_a_newer_daemon_wrote_is_unverifiable_and_never_corrupt(tmp_path):
    store = FolderStore(tmp_path / "repository")
    manifest, contents = await store_folder(store, table_of_contents("3012.dat"))
    newer = BACKUP_CONTENTS.to_json(contents)
    newer["version"] += 1
    body = json.dumps(newer).encode()
    path = store.root / folder_of("backups", manifest.backup_id) / "contents"
    path.write_bytes(body)
    stored = StoredContents(len(body), hashlib.sha256(body).hexdigest(), 0, 0, 0)
    trying = trials(store, tmp_path)
    proof = await trying.run(replace(manifest, contents=stored), lambda _: None)
    assert (proof.outcome, proof.reason) == (ProofState.UNVERIFIABLE, "DOCUMENT_TOO_NEW")
    of_manifest = trying.refused(DocumentTooNew("its manifest is of version 3"))
    assert (of_manifest.outcome, of_manifest.reason) == (
        ProofState.UNVERIFIABLE,
        "DOCUMENT_TOO_NEW",
    )
    assert trying.refused(Corrupt("it was altered")).outcome is ProofState.CORRUPT
