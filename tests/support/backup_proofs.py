"""Stored documents of verification, as samples: proofs, trials and drills."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from stewardd.backup.proof import BackupProof, ProofState
from stewardd.backup.verifying import progress
from stewardd.backup.verifying.drills import DRILL, Drill
from stewardd.backup.verifying.source_check import SourceCheck, SourceOutcome
from stewardd.repository.document import Codec
from stewardd.rpc.backup.verification import drill_message

_ID = "019aabcd-0000-7000-8000-000000000000"
_WHEN = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
PROOF = BackupProof(
    outcome=ProofState.CORRUPT,
    time=_WHEN,
    reason="DIFFERENCE",
    detail="a row is gone",
    differences=("a row is gone",),
    notes=("a note",),
    server_version="18.6",
    restore_s=1.5,
    elapsed_s=2.5,
    tables=3,
    rows=40,
    verifier="here",
    attempts=1,
)
_PROGRESS = progress.VerifyProgress(_ID, "main", progress.VerifyPhase.RESTORING, 1, 2, 3, 4, 5)
_SOURCE = SourceCheck(SourceOutcome.DAMAGED, "DAMAGE", "a page", ("a page",), 3, 4, 1.5)
_RESPONSE = progress.VerifyResponse(_ID, "main", PROOF, _SOURCE)
_DRILL = Drill(_ID, "main", _ID, _WHEN, 700, PROOF)
DOCUMENTS: list[tuple[str, Codec[Any], Any, Callable[[bytes], object]]] = [
    ("progress of a trial", progress.VERIFY_PROGRESS, _PROGRESS, bytes),
    ("result of a trial", progress.VERIFY_RESPONSE, _RESPONSE, bytes),
    ("drill", DRILL, _DRILL, lambda body: drill_message(DRILL.decode(body, ""))),
]
OPERATIONS = [
    (
        "VerifyBackup",
        progress.VERIFY_PROGRESS.to_json(_PROGRESS),
        progress.VERIFY_RESPONSE.to_json(_RESPONSE),
    ),
    ("RunDrill", progress.VERIFY_PROGRESS.to_json(_PROGRESS), DRILL.to_json(_DRILL)),
]
