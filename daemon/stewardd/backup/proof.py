"""How far a backup is proven: a property of its own, beside the manifest, which says only that it is complete."""

from __future__ import annotations

from enum import StrEnum


class ProofState(StrEnum):
    """What is known of a backup beyond that all of it was stored. The words are stored: they never change."""

    PENDING = "PENDING"
    """nobody has restored it yet"""
