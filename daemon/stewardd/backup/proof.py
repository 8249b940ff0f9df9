"""How far a backup is proven: a property of its own, beside the manifest, which says only that it is complete."""

from __future__ import annotations

from enum import StrEnum


class ProofState(StrEnum):
    """What is known of a backup beyond that all of it was stored. The words are stored: they never change."""

    PENDING = "PENDING"
    """nobody has restored it yet"""
    VERIFIED = "VERIFIED"
    """restored, and compared"""
    CORRUPT = "CORRUPT"
    """restored, and found wrong"""
    COULD_NOT_RUN = "COULD_NOT_RUN"
    """the trial itself failed, and says nothing of the backup"""
    UNVERIFIABLE = "UNVERIFIABLE"
    """what the trial needs is not here, such as the private key"""
