"""The retention of the second repository: the same rules, by policies of its own, on the copies that lie there.

Marks and purges are kept in the second repository itself. What is pinned in the first is pinned here too, and the pin
is kept here, since the second repository is there for the day on which the first one is lost. A copy is removed under
the claim under which it is made, so that no copier puts a manifest whose objects a purge has removed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.backup.deletion import BackupDeletion, PinRequest
from stewardd.backup.inventory import BackupInventory
from stewardd.backup.listing import BackupListing
from stewardd.backup.manifest.checked import CheckedManifests
from stewardd.backup.pruning import Pruning
from stewardd.backup.retention.policy import RetentionPolicy
from stewardd.backup.states import UNTOUCHED, BackupStates
from stewardd.errors import BackupDeleted, BackupNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claims


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """What a retention is given: policies by database, the time, the name that a request means, whom it trusts."""

    policy_of: Callable[[str], RetentionPolicy]
    now: Callable[[], datetime]
    database_named: Callable[[str], str]
    trusts: Callable[[str], bool] = lambda _: False
    checked: CheckedManifests | None = None


@dataclass(frozen=True, slots=True)
class _OpenRetention:
    """The objects of the retention in a store."""

    inventory: BackupInventory
    listing: BackupListing
    deletion: BackupDeletion
    pruning: Pruning


class SecondRetention:
    """Opened when it is first needed: the second repository may be away when the daemon starts."""

    def __init__(
        self,
        second: SecondRepository,
        claims: Claims,
        first_states: BackupStates,
        rules: RetentionRules,
        count: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._second = second
        self._claims = claims
        self._first_states = first_states
        self._rules = rules
        self._count = count
        self._opened: _OpenRetention | None = None

    @property
    def known(self) -> Pruning | None:
        """The pruning, once the second repository has answered."""
        return None if self._opened is None else self._opened.pruning

    async def listing(self) -> BackupListing:
        """What lists the copies there. Raises: ConfigurationError, RepositoryDown."""
        return (await self._open()).listing

    async def pruning(self) -> Pruning:
        """What plans and prunes there. Raises: ConfigurationError, RepositoryDown."""
        return (await self._open()).pruning

    async def run(self) -> None:
        """Applies the retention, and removes the data whose grace is over. Raises: as `pruning`, StorageFull."""
        opened = await self._open()
        await self._keep_pins(opened)
        await opened.pruning.run()

    async def _keep_pins(self, opened: _OpenRetention) -> None:
        """Pins and unpins copies as the first repository says; of what it says nothing, the pin stays as it is."""
        said = await self._first_states.all()
        for copy in await opened.inventory.read():
            state = said.get(copy.backup_id, UNTOUCHED).state
            if state is None or copy.state.deleted or state.pinned == copy.state.pinned:
                continue
            with suppress(BackupDeleted, BackupNotFound):  # meanwhile
                wanted = PinRequest(state.pinned, state.pin_note, state.actor)
                await opened.deletion.pin(copy.backup_id, wanted)

    async def _open(self) -> _OpenRetention:
        store = await self._second.store()
        if self._opened is None:
            self._opened = self._made(store)
        return self._opened

    def _made(self, store: Store) -> _OpenRetention:
        rules = self._rules
        catalog, states = BackupCatalog(store, rules.checked), BackupStates(store)
        inventory = BackupInventory(catalog, states, self._first_states, rules.trusts)
        deletion = BackupDeletion(
            store,
            catalog,
            states,
            inventory,
            rules.policy_of,
            rules.now,
            partial(self._second.exclusively, self._claims),
        )
        pruning = Pruning(
            inventory, deletion, rules.policy_of, rules.now, rules.database_named, self._count
        )
        listing = BackupListing(catalog, states, deletion.purge_time, self._first_states)
        return _OpenRetention(inventory, listing, deletion, pruning)
