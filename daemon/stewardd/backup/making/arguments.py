"""How the client tools are called; every name is given in double quotes, which makes it no pattern but itself."""

from __future__ import annotations

from pathlib import Path

from stewardd.backup.manifest.backup import DumpForm
from stewardd.postgres.dump_catalog import quoted
from stewardd.postgres.dump_source import Survey


def dump_arguments(
    snapshot: str,
    lock_timeout_s: float,
    survey: Survey,
    *,
    form: DumpForm,
    jobs: int = 1,
    folder: Path | None = None,
) -> list[str]:
    """The arguments of pg_dump for the data."""
    found = [
        f"--format={form.value}",
        "--compress=0",  # what every version takes for none: the worker compresses
        *_common(snapshot, lock_timeout_s, survey),
    ]
    if form is DumpForm.DIRECTORY:
        found += [f"--jobs={jobs}", "--no-sync", f"--file={folder}"]
    if survey.facts["in_recovery"]:
        found.append("--no-unlogged-table-data")  # a standby has none
    return found


def schema_arguments(snapshot: str, lock_timeout_s: float, survey: Survey) -> list[str]:
    """The arguments of pg_dump for the schema alone, as SQL."""
    return ["--schema-only", *_common(snapshot, lock_timeout_s, survey)]


def globals_arguments(database: str, *, with_passwords: bool) -> list[str]:
    """The arguments of pg_dumpall for roles and tablespaces."""
    found = ["--globals-only", f"--database={database}"]
    return found if with_passwords else [*found, "--no-role-passwords"]


def _common(snapshot: str, lock_timeout_s: float, survey: Survey) -> list[str]:
    found = [f"--snapshot={snapshot}", f"--lock-wait-timeout={round(lock_timeout_s * 1000)}"]
    choice = survey.choice
    if choice.tables:
        # With their partitions and children, which pg_dump takes only where they are named. Chosen schemas have been
        # taken into account: pg_dump would not look at them.
        return found + [f"--table={each.name}" for each in survey.tables]
    found += [f"--schema={quoted(each)}" for each in choice.schemas]
    found += [f"--exclude-schema={quoted(each)}" for each in choice.exclude_schemas]
    return found + [f"--exclude-table={each.name}" for each in survey.excluded]
