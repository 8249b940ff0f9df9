"""The keys of BackupService."""

from __future__ import annotations

from dataclasses import dataclass

from steward.v1 import backup_pb2 as pb


@dataclass(frozen=True, slots=True)
class BackupKeys:
    """The public halves of the keys that a daemon works with."""

    recipients: tuple[str, ...]
    """To whom new backups are encrypted; empty: they are not."""
    readable: tuple[str, ...]
    """The recipients whose private keys the daemon has."""
    signer: str
    """The public key that signs new backups."""
    trusted_signers: tuple[str, ...]
    own_recipient: str
    """The recipient whose key the daemon made by itself, "" where there is none."""
    own_identity_file: str
    own_signing_file: str
    notices: tuple[str, ...]

    @classmethod
    def from_proto(cls, message: pb.BackupKeys) -> BackupKeys:
        """Reads a steward.v1 BackupKeys."""
        return cls(
            recipients=tuple(message.recipients),
            readable=tuple(message.readable),
            signer=message.signer,
            trusted_signers=tuple(message.trusted_signers),
            own_recipient=message.own_recipient,
            own_identity_file=message.own_identity_file,
            own_signing_file=message.own_signing_file,
            notices=tuple(message.notices),
        )
