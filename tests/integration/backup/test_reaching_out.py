"""A dump is code: what runs while it is restored reaches no network, and where that can't be had the proof says so."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from stewardd.backup.backups import Backups
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.proof import BackupProof, ProofState
from stewardd.backup.verifying.trial import BackupTrials, TrialOptions
from stewardd.postgres.accounts import choose_account
from stewardd.postgres.isolation import NetworkIsolation, find_isolation
from stewardd.postgres.scratch import ScratchServers
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.folder.store import FolderStore

from tests.integration.backup.conftest import Handle

# It runs when pg_restore refreshes the view, which comes last; what it writes tells that it ran.
PHONING = """
CREATE TABLE answers (answer text);
CREATE FUNCTION phone() RETURNS event_trigger LANGUAGE plpgsql AS
  $$BEGIN COPY public.answers FROM PROGRAM 'bash -c "echo >> {rings}; exec 3<>/dev/tcp/127.0.0.1/{port}"';
  EXCEPTION WHEN OTHERS THEN NULL; END$$;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM people;
CREATE EVENT TRIGGER phones ON ddl_command_end WHEN TAG IN ('REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION phone();
"""
REFUSED = "Operation not permitted"


class Phone:
    """A port of this machine that counts who calls, and a file that counts who tried."""

    def __init__(self, listener: socket.socket, folder: Path) -> None:
        self._listener = listener
        self._listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self.rings = folder / "rings"
        self.rings.touch()
        self.rings.chmod(0o666)

    def counts(self) -> tuple[int, int]:
        """How many calls were tried and how many came, since the last time."""
        tried = len(self.rings.read_text())
        self.rings.write_text("")
        came = 0
        while True:
            try:
                self._listener.accept()[0].close()
            except BlockingIOError:
                return tried, came
            came += 1


@pytest.fixture
def phone(folder: Path, filled: DatabaseTarget):
    folder.chmod(0o711)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        phone = Phone(listener, folder)
        with psycopg.connect(filled.conninfo, autocommit=True) as source:
            source.execute(PHONING.format(rings=phone.rings, port=phone.port).encode())
            source.execute("REFRESH MATERIALIZED VIEW counted")
        assert phone.counts() == (1, 1)  # the source may call whom it likes
        yield phone


@pytest.fixture
def prove(backups: Backups, store: FolderStore, keyring: Keyring, folder: Path):
    async def work() -> BackupProof:
        options = TrialOptions(
            str(store.root), staging_dir=folder / "staging", reserve_bytes=1 << 20
        )
        servers = ScratchServers(folder)
        trials = BackupTrials(store, servers, keyring, options, lambda: datetime.now(UTC))
        return await trials.run(await backups.create("main", "", Handle()), lambda _: None)

    return work


async def test_what_a_backup_runs_while_it_is_restored_reaches_no_network(phone, prove):
    if find_isolation(choose_account(None)).method is None:
        pytest.skip("this system makes no network namespace")
    proof = await prove()
    assert (proof.outcome, proof.detail, proof.notes) == (ProofState.VERIFIED, "", ())
    assert phone.counts() == (1, 0)


async def test_a_system_that_can_keep_nobody_from_the_network_is_told_in_the_proof(
    phone, prove, monkeypatch
):
    monkeypatch.setattr(
        "stewardd.postgres.scratch.find_isolation", lambda _: NetworkIsolation(None, REFUSED)
    )
    proof = await prove()
    assert (proof.outcome, proof.detail) == (ProofState.VERIFIED, "")
    assert proof.notes == (f"the scratch server was not kept from the network: {REFUSED}",)
    assert phone.counts() == (1, 1)
