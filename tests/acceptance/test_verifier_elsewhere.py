"""A daemon that may not hold the key that reads its backups, and one elsewhere that holds it and proves them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from stewardd.backup.keys.encryption import AgeIdentity

from tests.acceptance.conftest import NO_DATABASE
from tests.acceptance.test_backup_proofs import AUTOMATIC, shown, until
from tests.support.command import run_command
from tests.support.command import steward_json as steward
from tests.support.daemon import Daemon


@dataclass(frozen=True, slots=True)
class Keyless:
    """A daemon that encrypts to a key, and holds another one; the file of the right key; its backup."""

    daemon: Daemon
    key_file: Path
    backup: str


@pytest.fixture(scope="module")
def keyless(session_folder: Path) -> Iterator[Keyless]:
    folder = session_folder / "keyless"
    folder.mkdir(mode=0o711)
    right, wrong = AgeIdentity.generate(), AgeIdentity.generate()
    for name, key in (("right", right), ("wrong", wrong)):
        (folder / name).touch(0o600)
        (folder / name).write_bytes(key.to_file())
    settings = folder / "steward.toml"
    settings.write_text(
        f"""
        [backup]
        recipients = ["{right.recipient}"]
        identity_files = ["{folder}/wrong"]
        """
    )
    with Daemon(folder / "data", "--config", str(settings), environment=AUTOMATIC) as daemon:
        code, made = steward(daemon, "backup", "create")
        assert code == 0, made
        yield Keyless(daemon, folder / "right", made["name"])


def test_with_the_wrong_key_a_restore_is_refused_by_name_and_makes_nothing(keyless):
    words = ("backup", "restore", keyless.backup, "--new-database", "never_made")
    environment = {"STEWARD_SERVER": keyless.daemon.address, "NO_COLOR": "1", "HOME": "/"}
    done = run_command(words, environment, keyless.key_file.parent)
    assert done.returncode == 3, done.stderr
    assert "[KEY_MISSING]" in done.stderr
    assert "backup.identity_files" in done.stderr
    code, told = steward(keyless.daemon, *words)
    assert (code, told["error"]["reason"]) == (3, "KEY_MISSING")
    code, plan = steward(keyless.daemon, "backup", "restore", keyless.backup, "--plan")
    assert (code, plan["error"]["reason"]) == (3, "KEY_MISSING")


def test_a_daemon_elsewhere_that_holds_the_key_proves_what_the_others_cannot_read(keyless, folder):
    proof = until(
        lambda: (
            (each := shown(keyless.daemon, keyless.backup))["proof"] != "pending"
            and each["verification"]
        )
    )
    assert (proof["outcome"], proof["reason"]) == ("unverifiable", "KEY_MISSING")
    _, keys = steward(keyless.daemon, "backup", "key", "show")
    settings = folder / "steward.toml"
    settings.write_text(
        f"""
        [repository]
        url = "{keyless.daemon.data_dir}/repository"
        [backup]
        identity_files = ["{keyless.key_file}"]
        trusted_signers = ["{keys["signer"]}"]
        [backup.verification]
        interval_s = 1.0
        """
    )
    environment = NO_DATABASE | AUTOMATIC
    with Daemon(folder / "data", "--config", str(settings), environment=environment):
        until(lambda: shown(keyless.daemon, keyless.backup)["proof"] == "verified")
    found = shown(keyless.daemon, keyless.backup)["verification"]
    assert (found["detail"], found["reason"]) == ("", "")
    assert found["verifier"] not in ("", proof["verifier"])
    # What the daemon without the key finds is no reason to take it back.
    _, again = steward(keyless.daemon, "backup", "verify", keyless.backup)
    assert again["verification"]["outcome"] == "unverifiable"
    assert shown(keyless.daemon, keyless.backup)["proof"] == "verified"
