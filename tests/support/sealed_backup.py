"""Backups that are compressed, encrypted and signed as the daemon makes them, with a dump of made up bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.deletion import BackupDeletion
from stewardd.backup.inventory import BackupInventory
from stewardd.backup.keys.encryption import AgeIdentity, Encryptor
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.keys.signing import SigningKey
from stewardd.backup.making.segments import Sealing
from stewardd.backup.making.storing import SegmentStorage
from stewardd.backup.manifest.backup import (
    USUAL_COMPRESSION,
    BackupManifest,
    DumpForm,
    Encryption,
    Globals,
    Segment,
)
from stewardd.backup.manifest.codec import SIGNED_MANIFEST
from stewardd.backup.manifest.contents import BackupContents, BackupTable
from stewardd.backup.pruning import Pruning
from stewardd.backup.reading.contents import read_contents, read_globals
from stewardd.backup.reading.dump import read_dump
from stewardd.backup.reencryption.reencryption import Reencryption
from stewardd.backup.reencryption.resealing import Resealing
from stewardd.backup.retention.policy import Counting, RetentionPolicy
from stewardd.backup.states import BackupStates
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claims
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import MANIFEST

ROLES = b"CREATE ROLE importer;\n"
CONTENTS = BackupContents(DumpForm.CUSTOM, tables=(BackupTable("public", "people", 3, "-12"),))


async def store_sealed_backup(
    store: Store,
    recipients: Sequence[str],
    key: SigningKey,
    when: datetime,
    *,
    segments: int = 3,
    segment_bytes: int = 5000,
) -> str:
    """Puts a backup whose data are of a time; returns its id."""
    backup_id = uuid7(when.timestamp)
    folder = folder_of("backups", backup_id)
    sealing = Sealing(USUAL_COMPRESSION, Encryptor(recipients))
    storage = SegmentStorage(store, folder, "main", 0)
    dump, named = b"", []
    for number in range(segments):
        part = os.urandom(segment_bytes)
        body = sealing.seal(part)
        name = f"segment-{number:06}"
        await store.put(f"{folder}/{name}", body)
        named.append(Segment(name, len(body), hashlib.sha256(body).hexdigest()))
        dump += part
    manifest = BackupManifest(
        backup_id=backup_id,
        database="main",
        description="of the night",
        snapshot_time=when,
        create_time=when,
        elapsed_s=1.0,
        database_size_bytes=8000,
        dump_size_bytes=len(dump),
        dump_sha256=hashlib.sha256(dump).hexdigest(),
        server_version="18.6",
        tool_version="18.6",
        form=DumpForm.CUSTOM,
        compression=USUAL_COMPRESSION,
        encryption=Encryption.AGE if recipients else Encryption.NONE,
        recipients=tuple(recipients),
        globals=Globals.COMPLETE,
        globals_object=await storage.put_object("globals", ROLES, sealing),
        contents=await storage.put_contents(CONTENTS, sealing),
        segments=tuple(named),
        stored_size_bytes=sum(each.size_bytes for each in named),
        signer=key.public_key,
    )
    await store.put(f"{folder}/{MANIFEST}", SIGNED_MANIFEST.encode(manifest, key))
    return backup_id


async def read_all(store: Store, backup_id: str, identities: Sequence[AgeIdentity]) -> bytes:
    """Reads everything of a backup, each checksum compared; returns the dump."""
    manifest = await BackupCatalog(store).get(backup_id)
    assert await read_contents(store, manifest, identities) == CONTENTS
    assert await read_globals(store, manifest, identities) == ROLES
    return b"".join([chunk async for chunk in read_dump(store, manifest, identities)])


class Rotation:
    """A daemon with two keys, of which the second one is new: what encrypts its backups anew."""

    def __init__(
        self,
        store: Store,
        lease: WriterLease,
        keyring: Keyring,
        now: datetime,
        policy: RetentionPolicy | None = None,
    ) -> None:
        self.store = store
        self.keyring = keyring
        self.now = now
        self.policy = policy or RetentionPolicy(counting=Counting.COMPLETE)
        catalog, self.states = BackupCatalog(store), BackupStates(store)
        self.inventory = BackupInventory(catalog, self.states, trusts=keyring.trusts)
        self.deletion = BackupDeletion(
            store, catalog, self.states, self.inventory, lambda _: self.policy, lambda: self.now
        )
        self.pruning = Pruning(
            self.inventory, self.deletion, lambda _: self.policy, lambda: self.now, str
        )
        self.reencryption = Reencryption(
            store,
            Claims(store, lease),
            Resealing(store, lease, keyring, 0),
            keyring,
            self.inventory,
            self.deletion,
            self.pruning,
        )

    async def live(self) -> list[str]:
        """The backups that are not deleted, newest first."""
        return [each.backup_id for each in await self.inventory.read() if not each.state.deleted]


def write_keys(folder: Path) -> None:
    """Writes an old key, a new one and a signing key into a folder, for a process of its own to read."""
    folder.mkdir()
    for name in ("old", "new"):
        (folder / name).write_bytes(AgeIdentity.generate().to_file())
    (folder / "signing").write_bytes(SigningKey.generate().to_pem())


def keyring_of(folder: Path, *names: str, to: str) -> Keyring:
    """The keyring of a daemon that has the named keys, and encrypts to one of the folder."""
    from stewardd.backup.keys.encryption import read_identities

    found = {each: read_identities((folder / each).read_text())[0] for each in {*names, to}}
    keyring = Keyring(SigningKey.from_pem((folder / "signing").read_bytes()))
    return replace(
        keyring,
        recipients=(found[to].recipient,),
        identities=tuple(found[each] for each in names),
    )
