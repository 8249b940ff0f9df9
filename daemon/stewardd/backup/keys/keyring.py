"""The keys of one daemon: to whom it encrypts, what it can read, how it signs, and whose signatures it trusts.

With no key configured the daemon makes one of each in its data folder. Such a key exists nowhere else: who loses the
folder loses the backups. So whatever shows a backup that only this key can read says where it is, every time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stewardd.backup.keys.encryption import AgeIdentity, check_recipient, read_identities
from stewardd.backup.keys.key_file import read_key_file, read_or_make
from stewardd.backup.keys.signing import SigningKey, is_public_key
from stewardd.backup.manifest.backup import BackupManifest, Encryption
from stewardd.errors import ConfigurationError, KeyUnknown, SignerUnknown

IDENTITY_FILE = "backup-identity.txt"
SIGNING_FILE = "signing-key.pem"


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """What is configured. `folder` is where the daemon keeps the keys that it makes by itself."""

    folder: Path
    encrypted: bool = True
    recipients: tuple[str, ...] = ()
    identity_files: tuple[Path, ...] = ()
    signing_key_file: Path | None = None
    trusted_signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys. `own_identity` is the recipient of the key that the daemon made, with the file in which it stands."""

    signing_key: SigningKey
    recipients: tuple[str, ...] = ()
    identities: tuple[AgeIdentity, ...] = ()
    trusted_signers: frozenset[str] = frozenset()
    own_identity: tuple[str, Path] | None = None
    own_signing_file: Path | None = None

    def trusts(self, signer: str) -> bool:
        """Whether a manifest that this key signed is believed."""
        return signer == self.signing_key.public_key or signer in self.trusted_signers

    def check_signer(self, manifest: BackupManifest) -> None:
        """Asked before a backup is restored, or counted as one. Raises: SignerUnknown."""
        if self.trusts(manifest.signer):
            return
        who = f"by {manifest.signer}, who is not trusted here" if manifest.signer else "by nobody"
        raise SignerUnknown(f"backup {manifest.backup_id} is signed {who}")

    def choose_recipients(self, asked: Iterable[str]) -> tuple[str, ...]:
        """The recipients of a new backup: those that its request names, else the configured ones. Raises: KeyUnknown.

        A request may choose among the configured recipients and no others: who may ask for a backup must not be able to
        have it made for himself.
        """
        chosen = tuple(dict.fromkeys(asked))
        for each in chosen:
            if check_recipient(each) not in self.recipients:
                raise KeyUnknown(f"{each} is none of the configured recipients", field="recipients")
        return chosen or self.recipients

    @property
    def own_notices(self) -> tuple[str, ...]:
        """What there is to know of the keys that the daemon made by itself."""
        found = []
        if self.own_identity is not None:
            found.append(
                f"the daemon made the key in {self.own_identity[1]} by itself, and there is no other copy of it: keep "
                "one elsewhere"
            )
        if self.own_signing_file is not None:
            found.append(
                f"the daemon made the signing key in {self.own_signing_file} by itself: a daemon without it has to be "
                "told to trust its public key"
            )
        return tuple(found)

    def notices(self, manifest: BackupManifest) -> tuple[str, ...]:
        """What whoever sees this backup has to know about its keys."""
        found = []
        if self.own_identity is not None and manifest.recipients == (self.own_identity[0],):
            found.append(
                f"only the key in {self.own_identity[1]} on the daemon's host can read this backup, and there is no "
                "other copy of it: keep one elsewhere"
            )
        if manifest.encryption is Encryption.NONE:
            found.append("this backup is not encrypted")
        if not manifest.signer:
            found.append("this backup is not signed: nobody vouches for what it holds")
        elif not self.trusts(manifest.signer):
            found.append(
                f"this backup is signed by {manifest.signer}, whom this daemon does not trust"
            )
        return tuple(found)


def open_keyring(options: KeyOptions) -> Keyring:
    """Reads the configured keys, and makes those that are missing. Call it on a thread: it works with files.

    Raises: ConfigurationError.
    """
    identities = [each for file in options.identity_files for each in _identities(file)]
    recipients = [_recipient(each) for each in options.recipients]
    own: tuple[str, Path] | None = None
    file = options.folder / IDENTITY_FILE
    if options.encrypted and not recipients:
        recipients = [each.recipient for each in identities]
    if file.exists() or (options.encrypted and not recipients):
        made = read_or_make(file, lambda: AgeIdentity.generate().to_file())
        (own_key, *_) = _parse_identities(file, made)
        own = (own_key.recipient, file)
        identities.append(own_key)  # what was encrypted to it earlier stays readable
        if options.encrypted and not recipients:
            recipients = [own_key.recipient]
    signing_file = options.signing_key_file or options.folder / SIGNING_FILE
    return Keyring(
        signing_key=_signing_key(options, signing_file),
        recipients=tuple(dict.fromkeys(recipients)) if options.encrypted else (),
        identities=tuple(identities),
        trusted_signers=frozenset(_signer(each) for each in options.trusted_signers),
        own_identity=own,
        own_signing_file=None if options.signing_key_file else signing_file,
    )


def _signing_key(options: KeyOptions, file: Path) -> SigningKey:
    if options.signing_key_file is not None:
        text = read_key_file(file)
    else:
        text = read_or_make(file, lambda: SigningKey.generate().to_pem())
    try:
        return SigningKey.from_pem(text)
    except ValueError as error:
        raise ConfigurationError(f"the signing key in {file} cannot be used: {error}") from None


def _identities(file: Path) -> list[AgeIdentity]:
    return _parse_identities(file, read_key_file(file))


def _parse_identities(file: Path, text: bytes) -> list[AgeIdentity]:
    try:
        return read_identities(text.decode())
    except ValueError as error:
        raise ConfigurationError(f"the key file {file} cannot be used: {error}") from None


def _recipient(text: str) -> str:
    try:
        return check_recipient(text)
    except KeyUnknown as error:
        raise ConfigurationError(f"backup.recipients: {error.message}") from None


def _signer(text: str) -> str:
    if not is_public_key(text):
        raise ConfigurationError(
            "backup.trusted_signers holds what is no public key",
            hint="`steward backup key show` prints a daemon's public signing key: 64 hexadecimal digits",
        )
    return text
