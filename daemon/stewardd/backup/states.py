"""What happened to backups after they were made: proofs, pins and deletions, as numbered states beside them.

    backup-states/<day>/<id>/000001.json …    create-once; each holds the whole state, and the last one counts

A manifest never changes. The create-once put of state n is the compare-and-swap: a writer that finds n taken decides
anew on what stands there. They lie under a root of their own, so that one listing tells all of them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from stewardd.backup.proof import BackupProof, ProofState
from stewardd.errors import Corrupt, ObjectExists
from stewardd.repository.attempts import Overtaken
from stewardd.repository.backend.store import Store
from stewardd.repository.document import LEFT_OUT_IF_EMPTY, Codec, Moment
from stewardd.repository.identifiers import folder_of, is_id
from stewardd.telemetry import logger

ROOT = "backup-states"

_log = logger("backup")
_NAME = re.compile(r"([0-9]{6})\.json")
_READ_AT_ONCE = 128
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BackupState:
    """A backup's state since `time`, by whoever said it. It is deleted from `delete_time` on; then it has no data.

    `purging` is final: from then on its data are being removed.
    """

    time: Moment
    actor: str = ""
    pinned: bool = False
    pin_note: str = ""
    delete_time: Annotated[Moment | None, LEFT_OUT_IF_EMPTY] = None
    purging: bool = False
    proof: Annotated[BackupProof | None, LEFT_OUT_IF_EMPTY] = None

    def __post_init__(self) -> None:
        if self.purging and self.delete_time is None:
            raise ValueError("it loses its data and is not deleted")


STATE_CODEC = Codec(BackupState, constants={"version": 1})


@dataclass(frozen=True, slots=True)
class NumberedState:
    """A state and its number; number 0 and no state where nothing has happened to the backup yet."""

    number: int = 0
    state: BackupState | None = None

    @property
    def pinned(self) -> bool:
        """Whether it is pinned."""
        return self.state is not None and self.state.pinned

    @property
    def deleted(self) -> bool:
        """Whether it is deleted, be its data still there or not."""
        return self.state is not None and self.state.delete_time is not None

    @property
    def purging(self) -> bool:
        """Whether its data are being removed."""
        return self.state is not None and self.state.purging

    @property
    def proof(self) -> BackupProof | None:
        """What its last trial came to; None where nobody has tried it yet."""
        return self.state.proof if self.state is not None else None

    @property
    def proof_state(self) -> ProofState:
        """How far it is proven."""
        return self.proof.outcome if self.proof is not None else ProofState.PENDING


UNTOUCHED = NumberedState()


class StateOvertaken(Overtaken):
    """Another writer changed the state of the backup."""


class BackupStates:
    """Reads and writes states. Raises: RepositoryDown; StorageFull where it writes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_before: dict[str, NumberedState] = {}

    async def all(self) -> Mapping[str, NumberedState]:
        """The states of all backups that have one, by one listing.

        One that cannot be read is logged, and counts as pinned. What was read before is not read again, for a state
        never changes.
        """
        newest: dict[str, int] = {}
        async for meta in self._store.list(ROOT):
            identifier, number = _parsed(meta.key)
            if number:
                newest[identifier] = number
        known = self._read_before
        missing = [
            (identifier, number)
            for identifier, number in newest.items()
            if (before := known.get(identifier)) is None or before.number != number
        ]
        found = {each: state for each, state in known.items() if each in newest}
        for start in range(0, len(missing), _READ_AT_ONCE):
            some = missing[start : start + _READ_AT_ONCE]
            keys = [_key(*each) for each in some]
            bodies = await self._store.get_many(keys)
            found |= await asyncio.to_thread(_decode_all, some, keys, bodies)
        self._read_before = found
        return dict(found)

    async def of(self, backup_id: str) -> NumberedState:
        """The state of one backup. Raises: Corrupt."""
        number = 0
        async for meta in self._store.list(folder_of(ROOT, backup_id)):
            number = max(number, _parsed(meta.key)[1])
        return await self._read(backup_id, number) if number else UNTOUCHED

    async def commit(
        self, backup_id: str, after: NumberedState, state: BackupState
    ) -> NumberedState:
        """Puts the next state. Raises: StateOvertaken where somebody else was faster."""
        number = after.number + 1
        try:
            await self._store.put(_key(backup_id, number), STATE_CODEC.encode(state))
        except ObjectExists:
            raise StateOvertaken from None
        return NumberedState(number, state)

    async def forget(self, backup_id: str) -> None:
        """Removes the states of a backup that is gone."""
        await self._store.delete_prefix(folder_of(ROOT, backup_id))

    async def _read(self, backup_id: str, number: int) -> NumberedState:
        key = _key(backup_id, number)
        return NumberedState(number, STATE_CODEC.decode(await self._store.get(key), key))


def _decode_all(
    states: Sequence[tuple[str, int]], keys: Sequence[str], bodies: Sequence[bytes | None]
) -> dict[str, NumberedState]:
    found = {}
    for (backup_id, number), key, body in zip(states, keys, bodies, strict=True):
        if body is None:
            found[backup_id] = UNTOUCHED  # forgotten since it was listed
            continue
        try:
            state = STATE_CODEC.decode(body, key)
        except Corrupt as error:
            _log.error("state of a backup not read", backup=backup_id, error=error.message)
            state = BackupState(_NEVER, pinned=True)
        found[backup_id] = NumberedState(number, state)
    return found


def _key(backup_id: str, number: int) -> str:
    return f"{folder_of(ROOT, backup_id)}/{number:06}.json"


def _parsed(key: str) -> tuple[str, int]:
    """The backup and the number of a state's key; number 0 for what is none."""
    folder, _, name = key.rpartition("/")
    identifier = folder.rpartition("/")[2]
    match = _NAME.fullmatch(name)
    return (identifier, int(match[1])) if match and is_id(identifier) else (identifier, 0)
