"""How far a backup is proven: a property of its own, beside the manifest, which says only that it is complete."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from stewardd.repository.document import LEFT_OUT_IF_EMPTY, Count, Moment, Seconds


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


@dataclass(frozen=True, slots=True)
class BackupProof:
    """What the last trial of a backup came to.

    `reason` is a stable word, such as KEY_MISSING or DIFFERENCE, `detail` the same for people: of a corrupt backup the
    first difference, of which `differences` holds the first fifty. `server_version` is that of the scratch server,
    `restore_s` how long the restore took, without the comparison. `attempts` counts the trials in a row that could not
    run.
    """

    outcome: ProofState
    time: Moment
    reason: Annotated[str, LEFT_OUT_IF_EMPTY] = ""
    detail: Annotated[str, LEFT_OUT_IF_EMPTY] = ""
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    server_version: Annotated[str, LEFT_OUT_IF_EMPTY] = ""
    restore_s: Seconds = 0.0
    elapsed_s: Seconds = 0.0
    tables: Count = 0
    rows: Count = 0
    verifier: Annotated[str, LEFT_OUT_IF_EMPTY] = ""
    attempts: Count = 0
