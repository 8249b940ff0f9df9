"""A signature that was checked is not checked again, also after a restart, and nothing else is believed for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.inventory import BackupInventory
from stewardd.backup.manifest.checked import CheckedManifests
from stewardd.backup.manifest.codec import SignedManifests
from stewardd.backup.states import BackupStates
from stewardd.errors import Corrupt
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.identifiers import folder_of

from tests.support.stored_backup import store_backup


def key_of(backup_id: str) -> str:
    return f"{folder_of('backups', backup_id)}/manifest.json"


def inventory(store: FolderStore, file: Path) -> BackupInventory:
    return BackupInventory(BackupCatalog(store, CheckedManifests(file)), BackupStates(store))


async def test_a_restarted_daemon_checks_what_is_new_and_no_signature_twice(
    first: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cache" / "checked-manifests"
    old = [await store_backup(first) for _ in range(5)]
    assert {each.backup_id for each in await inventory(first, file).read()} == set(old)
    assert file.stat().st_size == 5 * 32
    new = await store_backup(first)
    checked: list[str] = []

    def check(signer: str, signature: bytes, signed: bytes) -> bool:
        checked.append(signer)
        return True

    monkeypatch.setattr("stewardd.backup.manifest.codec.is_signed_by", check)
    again = inventory(first, file)
    assert {each.backup_id for each in await again.read()} == {*old, new}
    assert len(checked) == 1
    await again.read()
    assert len(checked) == 1


async def test_an_altered_manifest_is_refused_although_the_true_one_was_checked(
    first: FolderStore, tmp_path: Path
) -> None:
    file = tmp_path / "checked-manifests"
    backup_id = await store_backup(first)
    await inventory(first, file).read()
    body = await first.get(key_of(backup_id))
    altered = body.replace(b'"database":"main"', b'"database":"mine"')
    assert altered != body
    await first.put(key_of(backup_id), altered, overwrite=True)
    assert await inventory(first, file).read() == []
    with pytest.raises(Corrupt, match="altered"):
        SignedManifests(CheckedManifests(file)).decode(altered, "it")


@pytest.mark.parametrize(
    "damage", [b"", b"x", bytes(range(64)), b"\xff" * 33], ids=["empty", "short", "whole", "uneven"]
)
async def test_a_damaged_file_costs_a_check_and_nothing_else(
    first: FolderStore, tmp_path: Path, damage: bytes
) -> None:
    file = tmp_path / "checked-manifests"
    ids = {await store_backup(first) for _ in range(3)}
    file.write_bytes(damage)
    for _ in range(2):
        assert {each.backup_id for each in await inventory(first, file).read()} == ids
    assert file.stat().st_size % 32 == 0
    body = await first.get(key_of(min(ids)))
    assert CheckedManifests(file).has(body)


async def test_a_file_that_cannot_be_written_is_done_without(
    first: FolderStore, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    await store_backup(first)
    assert len(await inventory(first, tmp_path / "cache" / "checked-manifests").read()) == 1
