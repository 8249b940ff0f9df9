"""After a change of keys each backup is replaced by one of the same data; at every moment one of both can be read."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from stewardd.backup.catalog import KIND, BackupCatalog
from stewardd.backup.deletion import PinRequest
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.keys.signing import SigningKey
from stewardd.backup.proof import ProofState
from stewardd.backup.reencryption.resealing import id_beside
from stewardd.backup.retention.plan import RetentionReason, plan
from stewardd.backup.retention.policy import Candidate, Counting, RetentionPolicy
from stewardd.errors import KeyMissing
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.identifiers import created_at, folder_of, uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.sweep import Sweep

from tests.support.campaigns import FULL
from tests.support.sealed_backup import (
    Rotation,
    keyring_of,
    read_all,
    store_sealed_backup,
    write_keys,
)
from tests.support.stored_backup import objects

HERE = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 30, 12, 0, 0, 123000, tzinfo=UTC)
ACTOR = "mia"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    write_keys(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
async def lease(first: FolderStore, tmp_path: Path) -> AsyncIterator[WriterLease]:
    lease = await WriterLease.acquire(first, tmp_path / "data")
    yield lease
    await lease.close()


@pytest.fixture
def before(keys: Path) -> Keyring:
    """The keys before the change."""
    return keyring_of(keys, "old", to="old")


@pytest.fixture
def rotation(first: FolderStore, lease: WriterLease, keys: Path) -> Rotation:
    return Rotation(first, lease, keyring_of(keys, "old", "new", to="new"), NOW)


async def stored(rotation: Rotation, keyring: Keyring, count: int = 1) -> list[str]:
    """Backups of the last days, encrypted as before; newest first."""
    return [
        await store_sealed_backup(
            rotation.store, keyring.recipients, keyring.signing_key, NOW - timedelta(days=day)
        )
        for day in range(count)
    ]


async def test_a_backup_is_replaced_by_one_that_only_the_new_key_reads(
    rotation: Rotation, before: Keyring, keys: Path
) -> None:
    (old,) = await stored(rotation, before)
    dump = await read_all(rotation.store, old, before.identities)
    untouched = await objects(rotation.store, old)
    steps: list[tuple[int, int]] = []
    found = await rotation.reencryption.run(
        ACTOR, lambda step: steps.append((step.done, step.total))
    )
    (new,) = found.made
    assert found.skipped == ()
    assert (steps[0], steps[-1]) == ((0, 1), (1, 1))
    new_key = keyring_of(keys, "new", to="new")
    assert await read_all(rotation.store, new, new_key.identities) == dump
    with pytest.raises(KeyMissing):
        await read_all(rotation.store, new, before.identities)
    # The old one is as it was, and keeps its data for the grace.
    assert await objects(rotation.store, old) == untouched
    assert await rotation.live() == [new]
    assert await read_all(rotation.store, old, before.identities) == dump
    rotation.now += timedelta(days=2)
    await rotation.deletion.purge()
    assert await objects(rotation.store, old) == {}
    assert await read_all(rotation.store, new, new_key.identities) == dump


async def test_the_new_backup_is_as_old_as_the_one_that_it_replaces(
    rotation: Rotation, before: Keyring
) -> None:
    (old,) = await stored(rotation, before)
    (new,) = (await rotation.reencryption.run(ACTOR, lambda _: None)).made
    catalog = BackupCatalog(rotation.store)
    was, made = await catalog.get(old), await catalog.get(new)
    assert created_at(new) == created_at(old)
    assert made.replaces == old
    assert made.recipients == rotation.keyring.recipients
    same = replace(
        was,
        backup_id=new,
        replaces=old,
        recipients=made.recipients,
        segments=made.segments,
        stored_size_bytes=made.stored_size_bytes,
        contents=made.contents,
        globals_object=made.globals_object,
        signer=made.signer,
    )
    assert made == same


def test_an_id_beside_another_is_of_its_millisecond() -> None:
    for number in range(1000):
        moment = NOW + timedelta(milliseconds=number)
        identifier = uuid7(partial(float, moment.timestamp() + 0.0002))
        assert created_at(id_beside(identifier)) == moment


async def test_what_is_encrypted_to_the_configured_keys_stays(
    rotation: Rotation, before: Keyring
) -> None:
    current = await stored(rotation, rotation.keyring, 2)
    (old,) = await stored(rotation, before)
    assert [each.backup_id for each in await rotation.reencryption.outdated()] == [old]
    await rotation.reencryption.run(ACTOR, lambda _: None)
    assert set(current) < set(await rotation.live())
    again = await rotation.reencryption.run(ACTOR, lambda _: None)
    assert again.made == ()
    assert again.skipped == ()


async def test_an_unencrypted_backup_is_encrypted(rotation: Rotation) -> None:
    signing_key = rotation.keyring.signing_key
    old = await store_sealed_backup(rotation.store, (), signing_key, NOW)
    dump = await read_all(rotation.store, old, ())
    (new,) = (await rotation.reencryption.run(ACTOR, lambda _: None)).made
    assert await read_all(rotation.store, new, rotation.keyring.identities) == dump
    with pytest.raises(KeyMissing):
        await read_all(rotation.store, new, ())


async def test_what_cannot_be_replaced_stays_with_its_reason_and_keeps_no_other_waiting(
    rotation: Rotation, before: Keyring, first: FolderStore, tmp_path: Path
) -> None:
    write_keys(tmp_path / "foreign")
    foreign = keyring_of(tmp_path / "foreign", "old", to="old")
    unreadable = await store_sealed_backup(
        first, foreign.recipients, before.signing_key, NOW - timedelta(hours=1)
    )
    unsigned = await store_sealed_backup(
        first, before.recipients, SigningKey.generate(), NOW - timedelta(hours=2)
    )
    damaged, good = await stored(rotation, before, 2)
    key = f"{folder_of(KIND, damaged)}/segment-000001"
    await first.put(key, b"rotten", overwrite=True)
    found = await rotation.reencryption.run(ACTOR, lambda _: None)
    assert {each.backup_id: each.error.reason for each in found.skipped} == {
        unreadable: "KEY_MISSING",
        unsigned: "SIGNER_UNKNOWN",
        damaged: "CORRUPT",
    }
    assert len(found.made) == 1
    assert set(await rotation.live()) == {*found.made, unreadable, unsigned, damaged}
    assert good not in await rotation.live()
    # Nothing is left of the attempts.
    names = {meta.key.split("/")[2] async for meta in first.list(KIND)}
    assert names == {*found.made, unreadable, unsigned, damaged, good}


async def test_a_daemon_that_does_not_encrypt_refuses(
    first: FolderStore, lease: WriterLease, before: Keyring
) -> None:
    rotation = Rotation(first, lease, replace(before, recipients=()), NOW)
    with pytest.raises(KeyMissing, match="encrypts no backups"):
        await rotation.reencryption.run(ACTOR, lambda _: None)


async def test_the_pin_moves_to_the_new_backup(rotation: Rotation, before: Keyring) -> None:
    old, _ = await stored(rotation, before, 2)
    await rotation.deletion.pin(old, PinRequest(True, "before the move", ACTOR))
    made = (await rotation.reencryption.run(ACTOR, lambda _: None)).made
    (pinned,) = [each for each in await rotation.inventory.read() if each.pinned]
    assert pinned.facts.replaces == old
    assert pinned.state.state is not None
    assert pinned.state.state.pin_note == "before the move"
    assert set(await rotation.live()) == set(made)


async def test_two_daemons_that_encrypt_anew_at_once_replace_each_backup_once(
    rotation: Rotation, before: Keyring, first: FolderStore, tmp_path: Path
) -> None:
    ids = await stored(rotation, before, 6)
    lease = await WriterLease.acquire(first, tmp_path / "other")
    other = Rotation(first, lease, rotation.keyring, NOW)
    found = await asyncio.gather(
        *(each.reencryption.run(ACTOR, lambda _: None) for each in (rotation, other))
    )
    await lease.close()
    reasons = {each.error.reason for one in found for each in one.skipped}
    assert reasons <= {"REQUEST_IN_PROGRESS", "BACKUP_DELETED"}
    known = await rotation.inventory.read()
    assert sorted(each.facts.replaces for each in known if each.facts.replaces) == sorted(ids)
    assert len(await rotation.live()) == len(ids)


async def test_a_replacement_whose_signer_is_not_trusted_replaces_nothing(
    rotation: Rotation, before: Keyring, first: FolderStore, lease: WriterLease
) -> None:
    """Whoever can write to the repository can sign a manifest that names any backup; it must not delete that one."""
    (old,) = await stored(rotation, before)
    stranger = replace(rotation.keyring, signing_key=SigningKey.generate())
    stranger = replace(stranger, trusted_signers=frozenset({before.signing_key.public_key}))
    forged = Rotation(first, lease, stranger, NOW)
    (new,) = (await forged.reencryption.run(ACTOR, lambda _: None)).made
    await rotation.deletion.undelete(old, ACTOR)
    assert await rotation.pruning.drop_replaced(ACTOR) == []
    rotation.now += timedelta(days=30)
    await rotation.pruning.run()
    assert set(await rotation.live()) == {old, new}


def candidate(name: str, proof: ProofState, replaces: str = "", pinned: bool = False) -> Candidate:
    return Candidate(name, NOW - timedelta(days=1), proof, pinned, replaces)


@pytest.mark.parametrize(
    ("counting", "old", "new", "goes"),
    [
        (Counting.COMPLETE, ProofState.PENDING, ProofState.PENDING, True),
        (Counting.COMPLETE, ProofState.VERIFIED, ProofState.PENDING, True),
        (Counting.COMPLETE, ProofState.PENDING, ProofState.CORRUPT, False),
        (Counting.COMPLETE, ProofState.CORRUPT, ProofState.CORRUPT, False),
        (Counting.VERIFIED, ProofState.PENDING, ProofState.PENDING, True),
        (Counting.VERIFIED, ProofState.VERIFIED, ProofState.PENDING, False),
        (Counting.VERIFIED, ProofState.VERIFIED, ProofState.VERIFIED, True),
        (Counting.VERIFIED, ProofState.VERIFIED, ProofState.CORRUPT, False),
    ],
)
def test_the_old_backup_goes_when_the_new_one_counts_as_much(
    counting: Counting, old: ProofState, new: ProofState, goes: bool
) -> None:
    found = plan(
        [candidate("a", old), candidate("b", new, "a")], RetentionPolicy(counting=counting), NOW
    )
    assert [each.backup_id for each in found.going] == (["a"] if goes else [])
    assert all(each.reason is RetentionReason.REPLACED for each in found.going)


def test_a_pinned_backup_a_circle_and_other_data_are_no_replacement() -> None:
    policy = RetentionPolicy(counting=Counting.COMPLETE)
    pending = ProofState.PENDING
    pinned = [candidate("a", pending, pinned=True), candidate("b", pending, "a")]
    assert plan(pinned, policy, NOW).going == []
    circle = [candidate("a", pending, "b"), candidate("b", pending, "a")]
    assert len(plan(circle, policy, NOW).going) == 1
    itself = [candidate("a", pending, "a")]
    assert plan(itself, policy, NOW).going == []
    other = Candidate("b", NOW - timedelta(days=2), pending, replaces="a")
    assert plan([candidate("a", pending), other], policy, NOW).going == []


KILLED = """
import asyncio, os, signal, sys
from datetime import datetime
from pathlib import Path
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease
from tests.support.sealed_backup import Rotation, keyring_of

async def main(folder, puts):
    store = FolderStore(folder / "first")
    lease = await WriterLease.acquire(store, folder / "doomed")
    left, put = [puts], store.put

    async def counted(key, body, **options):
        if "heartbeat" not in key:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        await put(key, body, **options)

    store.put = counted
    keyring = keyring_of(folder / "keys", "old", "new", to="new")
    rotation = Rotation(store, lease, keyring, datetime.fromisoformat(sys.argv[3]))
    await rotation.reencryption.run("mia", lambda _: None)
    print("done")

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""
# A claim, an intent, three segments, contents, globals, the manifest, the release of the claim, two pins, a deletion.
PUTS = 12


@pytest.mark.campaign
@pytest.mark.parametrize("puts", range(PUTS + 1) if FULL else (0, 3, 7, 8, 9, 10, 11, PUTS))
async def test_a_daemon_that_is_killed_leaves_what_can_be_read_and_the_next_one_goes_on(
    rotation: Rotation, before: Keyring, lease: WriterLease, tmp_path: Path, puts: int
) -> None:
    """Killed at a put: each of them in the full campaign."""
    (old,) = await stored(rotation, before)
    await rotation.deletion.pin(old, PinRequest(True, "the last before the move", ACTOR))
    store, keyring = rotation.store, rotation.keyring
    dump = await read_all(store, old, keyring.identities)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", KILLED, str(tmp_path), str(puts), NOW.isoformat()],
        cwd=HERE,
        capture_output=True,
        check=False,
    )
    assert done.returncode == (0 if puts == PUTS else -9), done.stderr.decode()
    live = await rotation.live()
    for each in live:
        assert await read_all(store, each, keyring.identities) == dump
    pinned = [each for each in await rotation.inventory.read() if each.pinned]
    assert pinned
    # The claim and the intent of the dead end with its lease: its successor in the data folder says so.
    successor = await WriterLease.acquire(store, tmp_path / "doomed")
    await Sweep(store, lease).run()
    found = await rotation.reencryption.run(ACTOR, lambda _: None)
    await successor.close()
    assert found.skipped == ()
    (new,) = await rotation.live()
    assert new != old
    assert await read_all(store, new, keyring.identities) == dump
    (pin,) = [each.backup_id for each in await rotation.inventory.read() if each.pinned]
    assert pin == new
    rotation.now += timedelta(days=2)
    await rotation.deletion.purge()
    whole = {"manifest.json", "contents", "globals", *(f"segment-{n:06}" for n in range(3))}
    there: dict[str, set[str]] = {}
    async for meta in store.list(KIND):
        _, _, backup_id, name = meta.key.split("/")
        if meta.size_bytes:  # a fence stays for a day
            there.setdefault(backup_id, set()).add(name)
    assert there == {new: whole}
