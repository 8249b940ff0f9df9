"""The manifest of a backup that comes from elsewhere: read there, put here as the last of its objects, or given up.

The key of a manifest is taken once, by the manifest or by a fence (repository/publication.py). So a copier that was
paused for a day cannot put the manifest of a backup whose objects were removed meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from stewardd.backup.copying.transfer import Place
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.manifest.codec import SIGNED_MANIFEST
from stewardd.errors import Corrupt, LeaseLost, ObjectExists, ObjectNotFound
from stewardd.repository.publication import FENCE, MANIFEST, fence

_KEEP_FENCES = timedelta(days=1)


async def read_manifest(place: Place) -> tuple[bytes, BackupManifest]:
    """Reads a manifest, as it is stored and as what it says. Raises: ObjectNotFound, Corrupt, RepositoryDown."""
    key = place.key(MANIFEST)
    body = await place.store.get(key)
    if body == FENCE:
        raise ObjectNotFound(f"there is no object {key}")
    return body, SIGNED_MANIFEST.decode(body, key)


async def has_manifest(place: Place, body: bytes) -> bool:
    """Whether this manifest is there.

    Raises: LeaseLost where the backup was given up there, Corrupt where another one has its place.
    """
    try:
        found = await place.store.get(place.key(MANIFEST))
    except ObjectNotFound:
        return False
    if found == FENCE:
        raise LeaseLost(f"what was begun at {place} was given up; try again in a day")
    if found != body:
        raise Corrupt(f"another backup has the place at {place}")
    return True


async def put_manifest(place: Place, body: bytes) -> None:
    """Makes the backup exist, after all of its objects. Raises: LeaseLost, Corrupt, StorageFull, RepositoryDown."""
    try:
        await place.store.put(place.key(MANIFEST), body)
    except ObjectExists:
        await has_manifest(place, body)


async def give_up(place: Place, now: datetime) -> bool:
    """Removes what was begun and has no manifest; False while the fence has to stay there, for a day."""
    key = place.key(MANIFEST)
    if not await fence(place.store, key):
        return True
    for name in await place.sizes():
        await place.store.delete(place.key(name))
    if now - (await place.store.head(key)).modified_at < _KEEP_FENCES:
        return False
    await place.store.delete_prefix(place.folder)
    return True
