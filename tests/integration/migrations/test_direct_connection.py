"""Migrations go over a direct connection to a primary, and are refused by name on any other."""

from __future__ import annotations

import pytest
from stewardd.errors import DatabaseStandby, DirectConnectionNeeded

from tests.integration.postgres.conftest import by_port
from tests.support.pgbouncer import PROGRAM, PgBouncer
from tests.support.standby import Standby


@pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed")
async def test_a_transaction_pooler_is_refused_and_strands_no_lock(make, files, database, folder):
    files.add("0001_a", "CREATE TABLE t ();")
    own = make()
    with PgBouncer(database, folder) as bouncer:
        pooled = make(target=by_port(database, bouncer.port))
        with pytest.raises(
            DirectConnectionNeeded, match="reached through a connection pooler"
        ) as caught:
            await pooled.up()
        assert "direct_url" in caught.value.hint
        assert own.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
        assert (await pooled.status()).version == 0  # looking needs no session of its own
        assert (await own.up()).version == 1


async def test_a_standby_is_refused(make, files, embedded_server, folder):
    files.add("0001_a", "CREATE TABLE t ();")
    standby = Standby(embedded_server, folder)
    standby.start()
    try:
        database = make(target=standby.target())
        with pytest.raises(DatabaseStandby, match="is a standby, which cannot be migrated"):
            await database.up()
        assert (await database.status()).version == 0
    finally:
        standby.stop()
