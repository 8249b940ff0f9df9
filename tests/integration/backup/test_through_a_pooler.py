"""A backup through a pooler in transaction mode, which would read each table at another moment."""

from __future__ import annotations

import pytest
from stewardd.backup.backups import Backups
from stewardd.errors import DirectConnectionNeeded

from tests.integration.backup.conftest import Handle
from tests.integration.postgres.conftest import by_port
from tests.support.pgbouncer import PROGRAM, PgBouncer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed")


async def test_it_is_refused_by_name_and_leaves_nothing(
    store, lease, filled, options, keyring, folder
):
    with PgBouncer(filled, folder) as bouncer:
        targets = {"main": by_port(filled, bouncer.port)}
        backups = Backups(store, lease, targets, keyring, options)
        with pytest.raises(
            DirectConnectionNeeded, match="cannot hold the snapshot of a dump"
        ) as caught:
            await backups.create("", "", Handle())
    assert "direct_url" in caught.value.hint
    assert [each async for each in store.list("backups/")] == []
