"""What the files say by themselves: squawk's findings of their statements and of those in bodies, and renames.

What a later statement of the same file makes good is no finding: a table that is renamed leaves a view of its old name.
Dropping is what a down file is for, and not told of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stewardd.migrations.files import Migration, Mode, Script
from stewardd.migrations.lint.advice import RENAME, advice
from stewardd.migrations.lint.bodies import embedded_statements
from stewardd.migrations.lint.finding import LintFinding
from stewardd.migrations.lint.squawk import LintedScript, squawk

_DOWN_MAY = "ban-drop-"
_TOLD_BY_RENAME = "renaming-table"
_NAME = r'(?:(?:"[^"]+"|[\w$]+)\s?\.\s?)?(?:"[^"]+"|[\w$]+)'
_RENAMED = re.compile(
    rf"ALTER (?:TABLE|VIEW|MATERIALIZED VIEW) (?:IF EXISTS )?(?:ONLY )?(?P<name>{_NAME}) RENAME TO ",
    re.IGNORECASE,
)
_VIEW = re.compile(rf"CREATE (?:OR REPLACE )?VIEW (?P<name>{_NAME})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Part:
    """What is linted as one script: a file, or one statement of a body, with where it stands."""

    migration: Migration
    script: Script
    is_down: bool
    text: str
    first_line: int
    is_embedded: bool


async def lint_files(
    program: Path,
    migrations: Sequence[Migration],
    major: int,
    excluded: Sequence[str],
    scratch: Path | None = None,
) -> list[LintFinding]:
    """The findings of all files, in order; `scratch` is for copies of them. Raises: ToolFailed."""
    parts = [part for migration in migrations for part in _parts(migration)]
    scripts = [
        LintedScript(part.text, part.script.mode is not Mode.NO_TRANSACTION) for part in parts
    ]
    found = [
        _finding(parts[each.script], each.line, each.rule, each.message, major, each.help)
        for each in await squawk(program, scripts, major, excluded, scratch)
        if not _is_allowed(parts[each.script], each.rule)
    ]
    if RENAME not in excluded:
        found += [each for migration in migrations for each in _renames(migration, major)]
    return found


def _parts(migration: Migration) -> Iterator[_Part]:
    for script, is_down in ((migration.up, False), (migration.down, True)):
        yield _Part(migration, script, is_down, script.text, 1, is_embedded=False)
        for statement in script.statements:
            for inner in embedded_statements(statement):
                text = inner.text + ";"
                yield _Part(migration, script, is_down, text, inner.line, is_embedded=True)


def _is_allowed(part: _Part, rule: str) -> bool:
    return (part.is_down and rule.startswith(_DOWN_MAY)) or rule == _TOLD_BY_RENAME


def _finding(
    part: _Part, line: int, rule: str, message: str, major: int, otherwise: str
) -> LintFinding:
    where = " (in a body)" if part.is_embedded else ""
    return LintFinding(
        part.migration.label,
        part.script.file_name,
        part.first_line + line - 1,
        rule,
        f"{message.rstrip('.')}{where}",
        advice(rule, major, otherwise),
    )


def _renames(migration: Migration, major: int) -> Iterator[LintFinding]:
    """Renamed tables and views whose old name is gone: those that run with it fail from then on."""
    script = migration.up
    statements = [(each.code, each.line) for each in script.statements]
    statements += [
        (" ".join(inner.text.split()), inner.line)
        for each in script.statements
        for inner in embedded_statements(each)
    ]
    views = {_plain(view["name"]) for code, _ in statements if (view := _VIEW.match(code))}
    for code, line in statements:
        if (renamed := _RENAMED.match(code)) and _plain(renamed["name"]) not in views:
            yield LintFinding(
                migration.label,
                script.file_name,
                line,
                RENAME,
                f"{renamed['name']} is renamed, and nothing answers to its old name",
                advice(RENAME, major, ""),
            )


def _plain(name: str) -> str:
    return name.replace(" ", "").replace('"', "").lower().removeprefix("public.")
