"""Imports: nothing is believed of what lies elsewhere, and what is imported is whole or not there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.copying.imports import BackupImports, ImportRoot
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.keys.signing import SigningKey
from stewardd.errors import (
    BackupNotFound,
    Corrupt,
    NoSecondRepository,
    SignerUnknown,
    UriRefused,
)
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.claims import Claims
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.publication import MANIFEST

from tests.support.stored_backup import KEY, objects, segment_key, store_backup


@pytest.fixture
def imports_of(
    first: FolderStore, second: FolderStore, claims: Claims, scratch: Path, tmp_path: Path
) -> Callable[..., BackupImports]:
    """What imports into the first, of a daemon that trusts KEY; from the second one and from a folder."""

    def make(*, from_second: bool = True, days_later: int = 0) -> BackupImports:
        elsewhere = str(tmp_path / "elsewhere")
        later = timedelta(days=days_later)
        return BackupImports(
            first,
            claims,
            Keyring(SigningKey.generate(), trusted_signers=frozenset({KEY.public_key})),
            SecondRepository(str(second.root), {}) if from_second else None,
            [ImportRoot(elsewhere, lambda: FolderStore(Path(elsewhere)))],
            scratch,
            lambda: datetime.now(UTC) + later,
        )

    return make


@pytest.fixture
def imports(imports_of: Callable[..., BackupImports]) -> BackupImports:
    return imports_of()


async def run(imports: BackupImports, backup_id: str = "", uri: str = "", accept: bool = False):
    place = await imports.find(backup_id, uri)
    return await imports.run(place, lambda _: None, accept_unknown_signer=accept)


async def test_a_backup_of_the_second_repository_is_here_as_it_was_there(
    imports: BackupImports, first: FolderStore, second: FolderStore, scratch: Path
) -> None:
    backup_id = await store_backup(second)
    for _ in range(2):  # the second time it is here already
        assert (await run(imports, backup_id)).backup_id == backup_id
        assert await objects(first, backup_id) == await objects(second, backup_id)
    assert (await BackupCatalog(first).get(backup_id)).signer == KEY.public_key
    assert [each.key async for each in first.list("backup-copies")] == []
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "form", ["{}/some/where/manifest.json", "file://{}/some/where/manifest.json"]
)
async def test_a_backup_is_imported_from_its_manifest_below_a_root(
    imports: BackupImports, first: FolderStore, second: FolderStore, tmp_path: Path, form: str
) -> None:
    backup_id = await store_backup(second)
    folder = tmp_path / "elsewhere" / "some" / "where"
    folder.mkdir(parents=True)
    for name, body in (await objects(second, backup_id)).items():
        (folder / name).write_bytes(body)
    await run(imports, uri=form.format(tmp_path / "elsewhere"))
    assert await objects(first, backup_id) == await objects(second, backup_id)


@pytest.mark.parametrize(
    "uri",
    [
        "/etc/manifest.json",
        "{}/../second/manifest.json",
        "{}/x/../../second/manifest.json",
        "{}/x/other.json",
        "{}elsewhere/manifest.json",
        "{}",
        "s3://bucket/manifest.json",
    ],
)
async def test_a_manifest_outside_the_roots_is_refused(
    imports: BackupImports, tmp_path: Path, uri: str
) -> None:
    with pytest.raises(UriRefused):
        await imports.find("", uri.format(tmp_path / "elsewhere"))


async def test_a_backup_whose_signer_nobody_trusts_is_imported_only_when_that_is_said(
    imports: BackupImports, first: FolderStore, second: FolderStore
) -> None:
    backup_id = await store_backup(second, key=SigningKey.generate())
    with pytest.raises(SignerUnknown):
        await run(imports, backup_id)
    assert await objects(first, backup_id) == {}
    await run(imports, backup_id, accept=True)
    assert await objects(first, backup_id) == await objects(second, backup_id)


async def test_an_altered_manifest_is_refused_though_any_signer_is_accepted(
    imports: BackupImports, first: FolderStore, second: FolderStore
) -> None:
    backup_id = await store_backup(second)
    key = f"{folder_of('backups', backup_id)}/{MANIFEST}"
    body = (await second.get(key)).replace(b'"database":"main"', b'"database":"else"')
    await second.put(key, body, overwrite=True)
    with pytest.raises(Corrupt, match="altered"):
        await run(imports, backup_id, accept=True)
    assert await objects(first, backup_id) == {}


async def test_a_damaged_segment_makes_no_backup_and_a_mended_one_goes_on(
    imports: BackupImports, first: FolderStore, second: FolderStore
) -> None:
    backup_id = await store_backup(second)
    good = await second.get(segment_key(backup_id, 1))
    await second.put(segment_key(backup_id, 1), good[:-1] + b"?", overwrite=True)
    with pytest.raises(Corrupt, match="checksum differs"):
        await run(imports, backup_id)
    with pytest.raises(BackupNotFound):
        await BackupCatalog(first).get(backup_id)
    await second.put(segment_key(backup_id, 1), good, overwrite=True)
    await run(imports, backup_id)
    assert await objects(first, backup_id) == await objects(second, backup_id)


async def test_what_an_import_left_is_removed_after_a_day(
    imports_of: Callable[..., BackupImports], first: FolderStore, second: FolderStore
) -> None:
    backup_id = await store_backup(second)
    await second.put(segment_key(backup_id, 1), b"damaged", overwrite=True)
    with pytest.raises(Corrupt):
        await run(imports_of(), backup_id)
    await imports_of().clear()
    assert set(await objects(first, backup_id)) == {"segment-000000"}
    await imports_of(days_later=2).clear()
    assert await objects(first, backup_id) == {}
    assert [each.key async for each in first.list("backup-copies")] == []


async def test_what_is_not_there_is_named(imports_of: Callable[..., BackupImports]) -> None:
    with pytest.raises(BackupNotFound):
        await run(imports_of(), uuid7())
    with pytest.raises(BackupNotFound):
        await imports_of().find("no-id", "")
    with pytest.raises(NoSecondRepository):
        await run(imports_of(from_second=False), uuid7())
