"""MIGRATIONS.md: what was asked beside what was measured, and what each figure is of."""

from dataclasses import dataclass

from benchmarks.migrations import drift, proving, stalls, status
from benchmarks.results import table

ASKED_STATUS, ASKED_PROVING, ASKED_DRIFT, ASKED_STALL_S = 2.0, 1.5, 1.5, 0.5

STATUS = """\
The status is that of a daemon that has read the set before, over gRPC; psql is a whole process. A daemon reads a set
again when one of its files has changed."""

OPERATIONS = """\
A proof runs each migration up, down and up, on empty tables and on tables with 100 rows, and compares the catalogue and
all values after each step. By hand: initdb, start, psql of the files up, down and up, stop, without durability. Drift
compares the catalogue with that of all migrations, replayed on a scratch server. A daemon replays the same files once,
so its first drift takes longest; pg_dump writes one catalogue down, and compares nothing."""

STREAM = """\
Three sessions read and write a table of {rows:,} rows, and a report holds its lock on it for a second, again and again.
psql runs the same files, each in one transaction, with the backfill as one statement."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured."""

    status: status.Status
    proving: proving.Proving
    drift: drift.Drifting
    stalls: stalls.Stalls


def goals(found: Findings) -> list[tuple[str, str, str, str]]:
    """Return what was asked beside what was measured."""
    ratios = [
        (
            f"status of {status.COUNT} migrations by psql that reads their table",
            found.status.later_s / found.status.psql_s,
            ASKED_STATUS,
        ),
        (
            "proof of the platform's five by the same by hand",
            found.proving.ours_s / found.proving.by_hand_s,
            ASKED_PROVING,
        ),
        (
            f"drift of {drift.TABLES:,} tables by `pg_dump --schema-only`",
            found.drift.later_s / found.drift.dump_s,
            ASKED_DRIFT,
        ),
    ]
    lines = [
        (what, f"≤ {asked:g}", f"{ratio:.2f}", "yes" if ratio <= asked else "**no**")
        for what, ratio, asked in ratios
    ]
    stall_s = found.stalls.ours_s
    what = f"the longest query beside the platform's five, an ADD COLUMN and a backfill of {found.stalls.rows:,} rows"
    met = "yes" if stall_s <= ASKED_STALL_S else "**no**"
    return [*lines, (what, f"≤ {_ms(ASKED_STALL_S)}", _ms(stall_s), met)]


def page_of(found: Findings, how: str, warning: list[str]) -> str:
    """Return the page."""
    parts = [
        "# Migrations",
        *warning,
        how,
        table(("what", "asked", "measured", "met"), goals(found)),
        STATUS,
        _status(found.status),
        OPERATIONS,
        _operations(found),
        STREAM.format(rows=found.stalls.rows),
        _stream(found.stalls),
    ]
    return "\n\n".join(parts) + "\n"


def _status(found: status.Status) -> str:
    rows = [
        ("GetMigrationStatus", _ms(found.later_s)),
        ("GetMigrationStatus, the first of a daemon", _ms(found.first_s)),
        ("`steward migrate status`, the whole command", _ms(found.command_s)),
        ("`psql -c 'SELECT … FROM steward.migrations'`", _ms(found.psql_s)),
        (
            "`sqitch status`",
            found.sqitch_s if isinstance(found.sqitch_s, str) else _ms(found.sqitch_s),
        ),
    ]
    return table((f"status of {status.COUNT} migrations", "wall"), rows)


def _operations(found: Findings) -> str:
    rows = [
        ("ProveMigrations of the platform's five", f"{found.proving.ours_s:.2f} s"),
        ("the same by hand", f"{found.proving.by_hand_s:.2f} s"),
        (f"DetectDrift of {drift.TABLES:,} tables", f"{found.drift.later_s:.2f} s"),
        ("DetectDrift, the first of a daemon", f"{found.drift.first_s:.2f} s"),
        ("`pg_dump --schema-only` of them", f"{found.drift.dump_s:.2f} s"),
    ]
    return table(("work", "wall"), rows)


def _stream(found: stalls.Stalls) -> str:
    rows = [
        ("nothing", _ms(found.alone_s), "–"),
        ("`steward migrate up`", _ms(found.ours_s), f"{found.ours_elapsed_s:.1f} s"),
        ("psql of the same files", _ms(found.psql_s), f"{found.psql_elapsed_s:.1f} s"),
    ]
    return table(("beside the stream", "its longest query", "wall of the work"), rows)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
