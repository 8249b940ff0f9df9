"""Publishes one backup a second time, encrypted to other recipients.

A manifest never changes, so the result is a backup of its own, with an id of the same millisecond as the first one's:
it lies beside it, sorts beside it, and is as old. Its objects hold the same compressed bytes. It is published as every
backup is, so that a daemon that is killed on the way leaves the first one as it was, and nothing that the sweep does
not find.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from stewardd.backup.catalog import KIND
from stewardd.backup.keys.encryption import AgeIdentity, Encryptor, decrypt
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.making.segments import PackedSegment
from stewardd.backup.making.storing import SegmentStorage
from stewardd.backup.manifest.backup import BackupManifest, Encryption, StoredObject
from stewardd.backup.manifest.codec import SIGNED_MANIFEST
from stewardd.backup.manifest.contents import CONTENTS
from stewardd.backup.reading.contents import GLOBALS
from stewardd.backup.reading.segment import read_object
from stewardd.errors import RepositoryDown
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import created_at, uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import Publication, publish

_RESERVE_BYTES = 256 << 20
_HALF_A_MILLISECOND_S = 0.0005  # so that no rounding of a float comes to the millisecond before


class Resealing:
    """Encrypts to the recipients of a keyring. `reserve_bytes` of the repository's disk are left to others."""

    def __init__(
        self,
        store: Store,
        lease: WriterLease,
        keyring: Keyring,
        reserve_bytes: int = _RESERVE_BYTES,
    ) -> None:
        self._store = store
        self._lease = lease
        self._keyring = keyring
        self._encryptor = Encryptor(keyring.recipients)
        self._reserve_bytes = reserve_bytes

    async def run(self, manifest: BackupManifest, report: Callable[[int], None]) -> BackupManifest:
        """Makes the second backup, which exists when this returns; `report` is told the bytes that are stored.

        Raises: KeyMissing, Corrupt, BackupNotFound where it was deleted meanwhile, LeaseLost, StorageFull,
        RepositoryDown.
        """
        identifier = id_beside(manifest.backup_id)
        async with publish(self._store, self._lease, KIND, identifier) as draft:
            try:
                made = await self._store_all(draft, manifest, report)
            except (RepositoryDown, asyncio.CancelledError):
                draft.straggling = True  # a put may be under way for which nobody waits
                raise
            await draft.commit(SIGNED_MANIFEST.encode(made, self._keyring.signing_key))
        return made

    async def _store_all(
        self, draft: Publication, manifest: BackupManifest, report: Callable[[int], None]
    ) -> BackupManifest:
        storage = SegmentStorage(self._store, draft.folder, manifest.database, self._reserve_bytes)
        for number, segment in enumerate(manifest.segments):
            await draft.check()
            body, digest = await self._reseal(
                manifest, segment.name, segment.size_bytes, segment.sha256
            )
            await storage.put(PackedSegment(number, body, digest))
            report(storage.stored_bytes)
        contents = manifest.contents
        if contents is not None:
            stored = StoredObject(contents.size_bytes, contents.sha256)
            stored = await self._store_object(draft, storage, manifest, CONTENTS, stored)
            contents = replace(contents, size_bytes=stored.size_bytes, sha256=stored.sha256)
        beside = manifest.globals_object
        if beside is not None:
            beside = await self._store_object(draft, storage, manifest, GLOBALS, beside)
        return replace(
            manifest,
            backup_id=draft.identifier,
            encryption=Encryption.AGE,
            recipients=self._keyring.recipients,
            segments=storage.segments,
            stored_size_bytes=storage.stored_bytes,
            contents=contents,
            globals_object=beside,
            signer=self._keyring.signing_key.public_key,
            replaces=manifest.backup_id,
        )

    async def _store_object(
        self,
        draft: Publication,
        storage: SegmentStorage,
        manifest: BackupManifest,
        name: str,
        stored: StoredObject,
    ) -> StoredObject:
        body, digest = await self._reseal(manifest, name, stored.size_bytes, stored.sha256)
        await storage.check_room(len(body))
        await self._store.put(draft.key(name), body)
        return StoredObject(len(body), digest)

    async def _reseal(
        self, manifest: BackupManifest, name: str, size_bytes: int, sha256: str
    ) -> tuple[bytes, str]:
        body = await read_object(self._store, manifest, name, size_bytes, sha256)
        what = f"{name} of backup {manifest.backup_id}"
        return await asyncio.to_thread(
            _resealed, body, manifest.encryption, self._keyring.identities, self._encryptor, what
        )


def id_beside(identifier: str) -> str:
    """A fresh id of the same millisecond."""
    moment_s = created_at(identifier).timestamp() + _HALF_A_MILLISECOND_S
    return uuid7(lambda: moment_s)


def _resealed(
    body: bytes,
    encryption: Encryption,
    identities: Iterable[AgeIdentity],
    encryptor: Encryptor,
    what: str,
) -> tuple[bytes, str]:
    plain = decrypt(body, identities, what) if encryption is Encryption.AGE else body
    sealed = encryptor.encrypt(plain)
    return sealed, hashlib.sha256(sealed).hexdigest()
