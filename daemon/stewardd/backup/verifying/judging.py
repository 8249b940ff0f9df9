"""What a trial comes to: the differences that were found, and what pg_restore could not do, make a verdict. Pure.

A backup is corrupt only where something differs that no refusal of the scratch server explains: a server that lacks an
extension refuses what depends on it, and a function of the database may refuse rows for reasons of its own. Such a
backup is not verified either; the verdict names what stood in the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stewardd.backup.proof import ProofState
from stewardd.backup.restoring.options import RestoreIssue
from stewardd.backup.verifying.comparing import RestoreDifference

_MOST_DIFFERENCES = 50
# What stands here first is told first.
_LACKS = (
    (
        "EXTENSION_MISSING",
        re.compile(
            r'extension "[^"]*" is not available|could not (?:open|access|load) (?:extension|file|library)|'
            r'has no installation script|extension "[^"]*" does not exist'
        ),
    ),
    (
        "COLLATION_MISSING",
        re.compile(
            r'ICU is not supported|collation "[^"]*"(?: for encoding "[^"]*")? does not exist|could not create locale|'
            r"could not open collator"
        ),
    ),
    (
        "SERVER_LACKS",
        re.compile(
            r"not supported (?:in|by) this build|"
            r'(?:language|access method|tablespace|foreign-data wrapper) "[^"]*" does not exist'
        ),
    ),
)
_COULD_NOT_RUN = re.compile(
    r"No space left on device|could not (?:extend|write) |disk full|out of (?:shared )?memory|too many clients|"
    r"server closed the connection|terminating connection|could not fork|connection to server .* failed"
)
# A newer pg_restore sets what an older server does not know; and a new database has a schema public already.
_HARMLESS = re.compile(
    r'unrecognized configuration parameter|schema "public" already exists|language "plpgsql" already exists'
)


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    """The outcome of a trial, why in a stable word, and in words for people."""

    outcome: ProofState
    reason: str = ""
    detail: str = ""
    differences: tuple[str, ...] = ()


def judge(issues: Sequence[RestoreIssue], differences: Sequence[RestoreDifference]) -> TrialVerdict:
    """Returns the verdict."""
    serious = [each for each in issues if not _HARMLESS.search(each.error)]
    for each in serious:
        if _COULD_NOT_RUN.search(each.error):
            return TrialVerdict(ProofState.COULD_NOT_RUN, "SCRATCH_FAILED", str(each))
    said = " ".join(f"{each.entry} {each.error} {each.command}" for each in serious)
    unexplained = [each for each in differences if not (serious and _is_explained(each, said))]
    if unexplained:
        others = len(unexplained) - 1
        more = f", and {others} more difference{'s' * (others > 1)}" if others else ""
        told = tuple(map(str, unexplained[:_MOST_DIFFERENCES]))
        return TrialVerdict(ProofState.CORRUPT, "DIFFERENCE", f"{unexplained[0]}{more}", told)
    for reason, pattern in _LACKS:
        for each in serious:
            if pattern.search(each.error):
                return TrialVerdict(ProofState.UNVERIFIABLE, reason, str(each))
    if serious:
        return TrialVerdict(ProofState.UNVERIFIABLE, "RESTORE_REFUSED", str(serious[0]))
    return TrialVerdict(ProofState.VERIFIED)


def _is_explained(difference: RestoreDifference, said: str) -> bool:
    """Whether what pg_restore could not do names the thing, or the table that it belongs to."""
    return any(
        re.search(rf"(?<![\w$]){re.escape(each)}(?![\w$])", said)
        for each in _names(difference.name)
    )


def _names(name: str) -> list[str]:
    """The parts of a name behind its schema, without their quotes."""
    parts = re.findall(r'"((?:[^"]|"")+)"|([^".\s()]+)', name)
    plain = [quoted.replace('""', '"') or word for quoted, word in parts]
    return plain[1:] or plain
