"""One answer to one request, however often it is sent: claims on request ids (AIP-155).

    claims/<method>/<sha256 of the id: two digits>/<all of it>/000001.json             the first attempt, create-once
                                                              /000001.done.json        its answer
                                                              /000001.released.json    it failed, and may be tried again

The writer that creates the next attempt serves the request. When it dies, the next attempt follows. It may have
published before it died, without saying so; therefore an attempt names the manifest that it would publish. That
manifest is fenced before the next attempt begins; where it cannot be fenced, it exists, and is the answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from stewardd.errors import ObjectExists, RequestIdReused, RequestInProgress
from stewardd.repository.backend.store import Store
from stewardd.repository.document import MARK, Codec, Key
from stewardd.repository.lease import WriterLease
from stewardd.repository.liveness import LeaseRef, Liveness
from stewardd.repository.publication import exists, fence
from stewardd.uninterrupted import uninterrupted

ROOT = "claims"

_ATTEMPT = re.compile(r"([0-9]{6})\.json")
_RACES = 16


@dataclass(frozen=True, slots=True)
class AttemptDocument:
    """An attempt, as it is stored. `resource` and `manifest_key` name what it will publish, if that is known."""

    fingerprint: str
    owner: LeaseRef
    resource: str | None = None
    manifest_key: Key | None = None

    def __post_init__(self) -> None:
        if self.manifest_key is not None and self.resource is None:
            raise ValueError("it names a manifest and no resource")


@dataclass(frozen=True, slots=True)
class AnswerDocument:
    """The name of what came of a request, as it is stored."""

    resource: str


ATTEMPT_CODEC = Codec(AttemptDocument)
ANSWER_CODEC = Codec(AnswerDocument)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at serving a request, with what became of it so far."""

    number: int
    fingerprint: str
    owner: LeaseRef
    resource: str | None
    manifest_key: str | None
    answer: str | None
    released: bool


@dataclass(frozen=True, slots=True)
class BeginAttempt:
    """Decision: serve it as this attempt, once the attempt before it is fenced."""

    number: int
    after: Attempt | None


@dataclass(frozen=True, slots=True)
class BeingServed:
    """Decision: another writer is serving it."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Answered:
    """The request was served before: this is the name of what came of it."""

    resource: str


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt of our own. End it by `answer` or `release`; otherwise it ends with our lease."""

    store: Store
    folder: str
    number: int

    async def answer(self, resource: str) -> None:
        """Keeps the answer for the next call with this request id."""
        key = f"{self.folder}/{self.number:06}.done.json"
        await self.store.put(key, ANSWER_CODEC.encode(AnswerDocument(resource)))

    async def release(self) -> None:
        """Says that it failed, and that the same request may be tried again at once."""
        await self.store.put(f"{self.folder}/{self.number:06}.released.json", MARK)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The request is ours to serve."""

    claim: Claim


def decide(
    attempts: Sequence[Attempt], fingerprint: str, owner: Liveness | None
) -> BeginAttempt | BeingServed | Answered:
    """What to do about a request, by its attempts so far, and by whether the writer of the last one lives.

    Raises: RequestIdReused when any of them was for another request.
    """
    if any(attempt.fingerprint != fingerprint for attempt in attempts):
        raise RequestIdReused("the request_id was used for another request", field="request_id")
    if not attempts:
        return BeginAttempt(1, None)
    last = attempts[-1]
    if last.answer is not None:
        return Answered(last.answer)
    if last.released or owner is not Liveness.ALIVE:
        return BeginAttempt(last.number + 1, last)
    return BeingServed(last)


class Claims:
    """The claims of one repository, made under one lease."""

    def __init__(self, store: Store, lease: WriterLease) -> None:
        self._store = store
        self._lease = lease

    async def claim(
        self,
        method: str,
        request_id: str,
        fingerprint: str,
        *,
        resource: str | None = None,
        manifest_key: str | None = None,
    ) -> Claimed | Answered:
        """Claims a request. `fingerprint` is equal for equal requests. It is stored, so it must not be their text.

        `resource` and `manifest_key` name what serving it will publish, if that is known beforehand: then a request
        is answered by it from the moment that it exists, also when its claimant dies right after.

        Raises: RequestIdReused, RequestInProgress, LeaseLost, RepositoryDown, Corrupt.
        """
        attempt = AttemptDocument(fingerprint, self._lease.ref, resource, manifest_key)
        return await self._claim(method, request_id, attempt, is_new=False)

    async def claim_new(
        self, method: str, request_id: str, fingerprint: str, *, resource: str, manifest_key: str
    ) -> Claimed | Answered:
        """As `claim`, of a request that nobody had served a moment ago (`answer_of`): it costs a listing less."""
        attempt = AttemptDocument(fingerprint, self._lease.ref, resource, manifest_key)
        return await self._claim(method, request_id, attempt, is_new=True)

    async def _claim(
        self, method: str, request_id: str, attempt: AttemptDocument, *, is_new: bool
    ) -> Claimed | Answered:
        folder = claim_folder(method, request_id)
        for turn in range(_RACES):
            attempts = [] if is_new and turn == 0 else await self._attempts(folder)
            owner = await self._lease.liveness(attempts[-1].owner) if attempts else None
            decision = decide(attempts, attempt.fingerprint, owner)
            if isinstance(decision, Answered):
                return decision
            if isinstance(decision, BeingServed):
                return await self._published(decision.attempt)
            if decision.after is not None and not await self._fenced(decision.after):
                return Answered(_planned(decision.after))
            claim = Claim(self._store, folder, decision.number)
            try:
                await self._begin(claim, attempt)
            except ObjectExists:
                continue  # another daemon began it: look again
            return Claimed(claim)
        raise RequestInProgress(
            f"{method} is being served elsewhere", field="request_id", retry_after_s=1
        )

    async def answer_of(self, method: str, request_id: str, fingerprint: str) -> Answered | None:
        """What came of a request that was served before; None where nobody has served it yet. Claims nothing.

        Raises: RequestIdReused, RequestInProgress, RepositoryDown, Corrupt.
        """
        attempts = await self._attempts(claim_folder(method, request_id))
        owner = await self._lease.liveness(attempts[-1].owner) if attempts else None
        decision = decide(attempts, fingerprint, owner)
        if isinstance(decision, BeingServed):
            return await self._published(decision.attempt)
        if isinstance(decision, Answered):
            return decision
        last = decision.after
        if (
            last is None
            or last.manifest_key is None
            or not await exists(self._store, last.manifest_key)
        ):
            return None
        return Answered(_planned(last))

    @asynccontextmanager
    async def exclusively(self, work: str, name: str) -> AsyncIterator[None]:
        """Does a piece of work of that name in one daemon at a time; it may be done again afterwards.

        Raises: RequestInProgress while another daemon does it, and what `claim` raises.
        """
        outcome = await self.claim(work, name, "")
        if not isinstance(outcome, Claimed):
            raise RequestInProgress(f"{work} is being done elsewhere", retry_after_s=5)
        try:
            yield
        finally:
            await uninterrupted(outcome.claim.release())

    async def expire(self, older_than_s: float) -> int:
        """Forgets the requests that were last touched longer ago than this; says how many. Reads every claim."""
        before = self._lease.now() - timedelta(seconds=older_than_s)
        newest: dict[str, bool] = {}
        async for meta in self._store.list(ROOT):
            folder = meta.key.rpartition("/")[0]
            newest[folder] = newest.get(folder, False) or meta.modified_at >= before
        expired = [folder for folder, young in newest.items() if not young]
        for folder in expired:
            await self._store.delete_prefix(folder)
        return len(expired)

    async def _begin(self, claim: Claim, attempt: AttemptDocument) -> None:
        """Puts the attempt. A caller that is cancelled meanwhile never learns of its claim: it is released here.

        Otherwise the request would be refused as being served for as long as this daemon lives.
        """
        key = f"{claim.folder}/{claim.number:06}.json"
        put = asyncio.ensure_future(self._store.put(key, ATTEMPT_CODEC.encode(attempt)))
        try:
            await uninterrupted(put)
        except asyncio.CancelledError:
            if not put.cancelled() and put.exception() is None:
                await uninterrupted(claim.release())
            raise

    async def _fenced(self, attempt: Attempt) -> bool:
        return attempt.manifest_key is None or await fence(self._store, attempt.manifest_key)

    async def _published(self, attempt: Attempt) -> Answered:
        if attempt.manifest_key is not None and await exists(self._store, attempt.manifest_key):
            return Answered(_planned(attempt))
        raise RequestInProgress(
            "a request with this request_id is being served", field="request_id", retry_after_s=1
        )

    async def _attempts(self, folder: str) -> list[Attempt]:
        names = [meta.key.rpartition("/")[2] async for meta in self._store.list(folder)]
        numbers = [match[1] for match in map(_ATTEMPT.fullmatch, names) if match]
        return [await self._attempt(folder, number, names) for number in numbers]

    async def _attempt(self, folder: str, number: str, names: Sequence[str]) -> Attempt:
        key = f"{folder}/{number}.json"
        found = ATTEMPT_CODEC.decode(await self._store.get(key), key)
        answer = None
        if f"{number}.done.json" in names:
            answer_key = f"{folder}/{number}.done.json"
            answer = ANSWER_CODEC.decode(await self._store.get(answer_key), answer_key).resource
        return Attempt(
            number=int(number),
            fingerprint=found.fingerprint,
            owner=found.owner,
            resource=found.resource,
            manifest_key=found.manifest_key,
            answer=answer,
            released=f"{number}.released.json" in names,
        )


def claim_folder(method: str, request_id: str) -> str:
    """The folder of the claims on a request id, by its hash: an id is the client's text and may be no key."""
    digest = hashlib.sha256(request_id.encode()).hexdigest()
    return f"{ROOT}/{method}/{digest[:2]}/{digest}"


def _planned(attempt: Attempt) -> str:
    assert attempt.resource is not None  # it stands beside each manifest's key
    return attempt.resource
