"""The keys of a daemon: made once, kept for their owner alone, refused where they can't be used, trusted by name."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import replace

import pytest
from stewardd.backup.keys.encryption import AgeIdentity, Encryptor, decrypt
from stewardd.backup.keys.keyring import IDENTITY_FILE, SIGNING_FILE, KeyOptions, open_keyring
from stewardd.backup.keys.signing import SigningKey
from stewardd.backup.manifest.backup import Encryption
from stewardd.errors import ConfigurationError, KeyUnknown, SignerUnknown

from tests.unit.backup.test_manifest import MANIFEST


def test_without_any_configured_the_daemon_makes_one_of_each_and_keeps_them(folder):
    options = KeyOptions(folder / "keys")
    first, again = open_keyring(options), open_keyring(options)
    assert first.recipients == again.recipients == (first.identities[0].recipient,)
    assert first.signing_key.public_key == again.signing_key.public_key
    assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700
    for name in (IDENTITY_FILE, SIGNING_FILE):
        assert stat.S_IMODE((folder / "keys" / name).stat().st_mode) == 0o600
    assert sorted(os.listdir(folder / "keys")) == [IDENTITY_FILE, SIGNING_FILE]
    sealed = Encryptor(first.recipients).encrypt(b"rows")
    assert decrypt(sealed, again.identities, "it") == b"rows"


def test_a_backup_that_only_the_daemons_own_key_reads_names_its_file_every_time(folder):
    keyring = open_keyring(KeyOptions(folder / "keys"))
    own = replace(
        MANIFEST,
        encryption=Encryption.AGE,
        recipients=keyring.recipients,
        signer=keyring.signing_key.public_key,
    )
    (notice,) = keyring.notices(own)
    assert str(folder / "keys" / IDENTITY_FILE) in notice
    assert "no other copy" in notice
    shared = replace(own, recipients=(*keyring.recipients, AgeIdentity.generate().recipient))
    assert keyring.notices(shared) == ()


def test_configured_keys_are_used_and_no_other_is_made(folder):
    identity, key = AgeIdentity.generate(), SigningKey.generate()
    (folder / "identity").write_bytes(identity.to_file())
    (folder / "signing").write_bytes(key.to_pem())
    for name in ("identity", "signing"):
        (folder / name).chmod(0o600)
    options = KeyOptions(
        folder / "keys",
        identity_files=(folder / "identity",),
        signing_key_file=folder / "signing",
        trusted_signers=("ab" * 32,),
    )
    keyring = open_keyring(options)
    assert keyring.recipients == (identity.recipient,)
    assert keyring.signing_key.public_key == key.public_key
    assert not (folder / "keys").exists()
    assert keyring.own_notices == ()
    assert keyring.trusts("ab" * 32)
    assert not keyring.trusts("cd" * 32)


def test_recipients_alone_are_encrypted_to_and_nothing_can_be_read_here(folder):
    recipients = (AgeIdentity.generate().recipient, AgeIdentity.generate().recipient)
    keyring = open_keyring(KeyOptions(folder / "keys", recipients=recipients))
    assert keyring.recipients == recipients
    assert keyring.identities == ()
    assert not (folder / "keys" / IDENTITY_FILE).exists()


def test_a_key_that_the_daemon_made_before_still_reads_after_others_were_configured(folder):
    first = open_keyring(KeyOptions(folder / "keys"))
    sealed = Encryptor(first.recipients).encrypt(b"rows")
    recipient = AgeIdentity.generate().recipient
    later = open_keyring(KeyOptions(folder / "keys", recipients=(recipient,)))
    assert later.recipients == (recipient,)
    assert decrypt(sealed, later.identities, "it") == b"rows"


def test_without_encryption_there_are_no_recipients_and_it_is_said(folder):
    keyring = open_keyring(KeyOptions(folder / "keys", encrypted=False))
    assert keyring.recipients == ()
    assert "not encrypted" in " ".join(keyring.notices(MANIFEST))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"recipients": ("age1xyz",)}, "age1xyz is no recipient"),
        ({"recipients": ("AGE-SECRET-KEY-1ABC",)}, "what was given is no recipient"),
        ({"trusted_signers": ("ab",)}, "no public key"),
    ],
)
def test_what_is_no_key_is_refused_and_no_secret_is_shown(folder, changes, says):
    with pytest.raises(ConfigurationError, match=says) as raised:
        open_keyring(KeyOptions(folder / "keys", **changes))
    assert "SECRET-KEY" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (b"", 0o600, "no age identity"),
        (b"# a comment alone\n", 0o600, "no age identity"),
        (b"AGE-SECRET-KEY-1ABC\n", 0o600, "no X25519 identity"),
        (b"\xff\n", 0o600, "cannot be used"),
        (AgeIdentity.generate().to_file(), 0o644, "everybody may read"),
        (None, 0, "cannot be read: No such file"),
    ],
)
def test_an_identity_file_that_cannot_be_used_is_refused_by_its_name(folder, text, mode, says):
    file = folder / "identity"
    if text is not None:
        file.write_bytes(text)
        file.chmod(mode)
    with pytest.raises(ConfigurationError, match=says) as raised:
        open_keyring(KeyOptions(folder / "keys", identity_files=(file,)))
    assert str(file) in str(raised.value)


@pytest.mark.parametrize("kind", ["rsa", "nonsense", "public"])
def test_a_signing_key_of_another_kind_is_refused(folder, kind):
    file = folder / "signing"
    if kind == "rsa":
        subprocess.run(["openssl", "genrsa", "-out", str(file)], check=True, capture_output=True)
    elif kind == "public":
        file.write_text(SigningKey.generate().public_key)
    else:
        file.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="signing key"):
        open_keyring(KeyOptions(folder / "keys", signing_key_file=file))


def test_a_signer_who_is_not_known_is_not_believed(folder):
    keyring = open_keyring(KeyOptions(folder / "keys"))
    with pytest.raises(SignerUnknown, match=MANIFEST.signer):
        keyring.check_signer(MANIFEST)
    with pytest.raises(SignerUnknown, match="by nobody"):
        keyring.check_signer(replace(MANIFEST, signer=""))
    keyring.check_signer(replace(MANIFEST, signer=keyring.signing_key.public_key))
    assert "does not trust" in " ".join(keyring.notices(MANIFEST))


def test_a_request_chooses_among_the_configured_recipients_and_no_others(folder):
    recipients = (AgeIdentity.generate().recipient, AgeIdentity.generate().recipient)
    keyring = open_keyring(KeyOptions(folder / "keys", recipients=recipients))
    assert keyring.choose_recipients(()) == recipients
    assert keyring.choose_recipients([recipients[1], recipients[1]]) == recipients[1:]
    with pytest.raises(KeyUnknown, match="none of the configured"):
        keyring.choose_recipients([AgeIdentity.generate().recipient])
    with pytest.raises(KeyUnknown, match="no recipient of age"):
        keyring.choose_recipients(["me@example.org"])
