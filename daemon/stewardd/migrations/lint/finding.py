"""What linting finds, as it is stored with its operation."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.migrations.progress import Number
from stewardd.repository.document import Codec, Count


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One finding: where it is, which rule it breaks, and how the same is done without keeping anybody waiting."""

    migration: str
    file_name: str
    line: Number
    rule: str
    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class LintProgress:
    """How far linting has come; `migration` is the one that is being tried."""

    database: str
    major: Number
    migration: str = ""
    done_count: Number = 0
    total_count: Number = 0


@dataclass(frozen=True, slots=True)
class LintResult:
    """All findings, in the order of the files. `tried` says up to which migration a scratch server could try them."""

    database: str
    linter: str
    server_version: str
    tried: Number
    finding_count: Count
    findings: tuple[LintFinding, ...]


LINT_PROGRESS = Codec(LintProgress)
LINT_RESULT = Codec(LintResult)
