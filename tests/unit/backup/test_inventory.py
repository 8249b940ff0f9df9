"""A look at all backups of a folder finds each that can be read, with its state, and leaves out what is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stewardd.backup.catalog import KIND, BackupCatalog
from stewardd.backup.inventory import BackupInventory
from stewardd.backup.keys.signing import SigningKey
from stewardd.backup.manifest.checked import CheckedManifests
from stewardd.backup.manifest.codec import BACKUP_MANIFEST, SIGNED_MANIFEST
from stewardd.backup.manifest.first_version import FIRST_MANIFEST
from stewardd.backup.states import ROOT, STATE_CODEC, BackupState, BackupStates
from stewardd.errors import RepositoryDown
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.publication import manifest_key

from tests.support.backup_manifests import SIGNING_KEY, backup, first_backup

pytestmark = pytest.mark.asyncio

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
MANY = 300  # more than are read at once
FOREIGN = SigningKey.generate()


def inventory(store: FolderStore, checked: CheckedManifests | None = None) -> BackupInventory:
    return BackupInventory(BackupCatalog(store, checked), BackupStates(store))


def write(store: FolderStore, key: str, body: bytes) -> None:
    """As the store does it, but for the syncs, which take seconds for hundreds of objects."""
    path = store.root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def write_backup(store: FolderStore, hours_ago: int) -> str:
    backup_id = uuid7(lambda: NOW.timestamp() - hours_ago * 3600)
    body = SIGNED_MANIFEST.encode(replace(backup(), backup_id=backup_id), SIGNING_KEY)
    write(store, manifest_key(KIND, backup_id), body)
    return backup_id


def write_state(store: FolderStore, backup_id: str, number: int, *, pinned: bool) -> None:
    body = STATE_CODEC.encode(BackupState(NOW, "mia", pinned=pinned))
    write(store, f"{folder_of(ROOT, backup_id)}/{number:06}.json", body)


async def test_every_backup_is_found_newest_first_with_its_last_state(first: FolderStore) -> None:
    ids = [write_backup(first, hours_ago) for hours_ago in range(MANY)]
    for number, backup_id in enumerate(ids):
        write_state(first, backup_id, 1, pinned=True)
        if number % 3 == 0:
            write_state(first, backup_id, 2, pinned=False)
    looking = inventory(first)
    for _ in range(2):
        found = await looking.read()
        assert [each.backup_id for each in found] == ids
        assert [each.state.number for each in found] == [2, 1, 1] * (MANY // 3)
        assert [each.pinned for each in found] == [False, True, True] * (MANY // 3)
    write_state(first, ids[1], 2, pinned=False)
    ids.insert(0, write_backup(first, -1))
    assert [(each.backup_id, each.pinned) for each in (await looking.read())[:4]] == [
        (ids[0], False), (ids[1], False), (ids[2], False), (ids[3], True)
    ]  # fmt: skip


def altered(backup_id: str) -> bytes:
    made = SIGNED_MANIFEST.encode(replace(backup(), backup_id=backup_id), SIGNING_KEY)
    return made.replace(b'"database":"main"', b'"database":"mine"')


def unsigned(backup_id: str) -> bytes:
    return BACKUP_MANIFEST.encode(replace(backup(), backup_id=backup_id))


def too_new(backup_id: str) -> bytes:
    return unsigned(backup_id).replace(b'{"version":2,', b'{"version":3,')


def of_another(_: str) -> bytes:
    return SIGNED_MANIFEST.encode(replace(backup(), backup_id=uuid7()), SIGNING_KEY)


def signed_and_wrong(backup_id: str) -> bytes:
    """What no daemon writes: the signature holds, and the segments don't add up to the size."""
    right = unsigned(backup_id).removesuffix(b"}\n")
    wrong = right.replace(b'"stored_size_bytes":700', b'"stored_size_bytes":701')
    return wrong + b',"signature":"' + SIGNING_KEY.sign(wrong).hex().encode() + b'"}\n'


@pytest.mark.parametrize(
    "strange",
    [altered, unsigned, too_new, of_another, signed_and_wrong, lambda _: b"", lambda _: b"{"],
    ids=["altered", "unsigned", "too new", "of another", "signed and wrong", "fence", "no JSON"],
)
async def test_what_is_no_backup_is_left_out_in_every_look(
    first: FolderStore, tmp_path: Path, strange: Callable[[str], bytes]
) -> None:
    ids = [write_backup(first, hours_ago) for hours_ago in range(3)]
    write(first, manifest_key(KIND, ids[1]), strange(ids[1]))
    for _ in range(2):
        looking = inventory(first, CheckedManifests(tmp_path / "checked"))
        for _ in range(2):
            assert [each.backup_id for each in await looking.read()] == [ids[0], ids[2]]
    write(
        first,
        manifest_key(KIND, ids[1]),
        SIGNED_MANIFEST.encode(replace(backup(), backup_id=ids[1]), SIGNING_KEY),
    )
    assert [each.backup_id for each in await looking.read()] == ids


async def test_a_backup_of_version_1_and_one_of_a_foreign_signer_are_listed(
    first: FolderStore,
) -> None:
    old, foreign = uuid7(lambda: NOW.timestamp() - 1), uuid7(NOW.timestamp)
    write(
        first,
        manifest_key(KIND, old),
        FIRST_MANIFEST.encode(replace(first_backup(), backup_id=old)),
    )
    made = replace(backup(), backup_id=foreign, signer=FOREIGN.public_key, replaces=old)
    write(first, manifest_key(KIND, foreign), SIGNED_MANIFEST.encode(made, FOREIGN))
    found = await inventory(first).read()
    assert [each.backup_id for each in found] == [foreign, old]
    assert found[0].facts.replaces == ""  # anybody could have signed it


async def test_a_look_that_fails_raises_and_the_next_one_finds_all(first: FolderStore) -> None:
    ids = [write_backup(first, hours_ago) for hours_ago in range(MANY)]
    path = first.root / manifest_key(KIND, ids[MANY // 2])
    body = path.read_bytes()
    path.unlink()
    path.symlink_to(path)
    looking = inventory(first)
    with pytest.raises(RepositoryDown, match=ids[MANY // 2]):
        await looking.read()
    path.unlink()
    path.write_bytes(body)
    assert [each.backup_id for each in await looking.read()] == ids
