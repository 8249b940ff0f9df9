"""What was asked of the engine and of ValidateBatch, beside what a run measured."""

from dataclasses import dataclass

from benchmarks.contestants import DUCKDB_TEXT, DUCKDB_TYPED, OURS, SIMD_OWN, Contestant
from benchmarks.measured import FILES, Measured
from benchmarks.rpc.scraping import CALLERS

MIB = 1 << 20

ASKED_WHERE_RUST_MAKES = (1.76, 0.78)
"""Millions of rows per CPU second, by file, that the Rust program makes where the rates asked for were measured."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Something asked for, and what came of it."""

    what: str
    asked: str
    measured: str
    met: bool


def ratio(measured: Measured, peer: Contestant, file: str) -> float | None:
    """Return ours by the peer's, where both were measured."""
    races = measured.races
    ours, other = races.get(OURS.key, {}).get(file), races.get(peer.key, {}).get(file)
    if ours is None or other is None or not ours.usages or not other.usages:
        return None
    return ours.rate / other.rate


def goals(measured: Measured) -> list[Goal]:
    """Return every goal that was measured."""
    return [
        *rate_goals(measured),
        *shape_goals(measured),
        *loopback_goals(measured),
        *quarantine_goals(measured),
        *scraping_goals(measured),
    ]


def rate_goals(measured: Measured) -> list[Goal]:
    """Return what was asked of rates and ratios."""
    found = []
    for file, least in zip(FILES, (2.5, 1.2), strict=True):
        race = measured.races.get(OURS.key, {}).get(file)
        if race is None or not race.usages:
            continue
        rate = race.rate / 1e6
        found.append(
            Goal(
                f"rows per CPU second, {file} invalid",
                f"≥ {least} M",
                f"{rate:.2f} M",
                rate >= least,
            )
        )
    for title, peers, least in (
        ("the Rust program", (SIMD_OWN,), 1.5),
        ("DuckDB, the quicker way", (DUCKDB_TEXT, DUCKDB_TYPED), 3.5),
    ):
        for file in FILES:
            ratios = [
                it for it in (ratio(measured, peer, file) for peer in peers) if it is not None
            ]
            if ratios:
                lowest = min(ratios)
                what = f"times {title}, {file} invalid"
                found.append(Goal(what, f"≥ {least}", f"{lowest:.2f}", lowest >= least))
    return found


def shape_goals(measured: Measured) -> list[Goal]:
    """Return what was asked of two cores, of memory and of length."""
    found = []
    for file, it in measured.doublings.items():
        what = f"two threads by two runs side by side, {file} invalid"
        found.append(Goal(what, "≥ 0.9", f"{it.ratio:.2f}", it.ratio >= 0.9))
    for file, growth in measured.growths.items():
        above = growth.above_interpreter_bytes / MIB
        what = f"memory above the interpreter, ten times the file, {file} invalid"
        found.append(Goal(what, "≤ 32 MiB", f"{above:.1f} MiB", above <= 32))
        what = f"CPU time for ten times the file, {file} invalid"
        found.append(Goal(what, "10 ×", f"{growth.times:.2f} ×", growth.times <= 10.5))
    return found


def loopback_goals(measured: Measured) -> list[Goal]:
    """Return what was asked of ValidateBatch and of Health."""
    found = []
    for file, it in measured.end_to_end.items():
        what = f"ValidateBatch by the slower of engine and sink, {file} invalid"
        found.append(Goal(what, "≥ 80 %", f"{it.share:.0%}", it.share >= 0.8))
    for name, latency in measured.health.items():
        median_ms = latency.median_s * 1000
        what = f"{name} while four uploads run, median"
        found.append(Goal(what, "< 5 ms", f"{median_ms:.1f} ms", median_ms < 5))
    return found


def quarantine_goals(measured: Measured) -> list[Goal]:
    """Return what was asked of reading a quarantine."""
    it = measured.reading
    if it is None:
        return []
    more_ms = (it.first_page_s - it.empty_page_s) * 1000
    grown = it.grown_bytes / MIB
    return [
        Goal(
            f"first page of {it.rows:,} rows over that of none",
            "≤ 50 ms",
            f"{more_ms:.1f} ms",
            more_ms <= 50,
        ),
        Goal("memory for that page and the stats", "≤ 64 MiB", f"{grown:.1f} MiB", grown <= 64),
    ]


def scraping_goals(measured: Measured) -> list[Goal]:
    """Return what was asked of a scrape."""
    it = measured.scraping
    if it is None:
        return []
    what = f"a scrape of /metrics costs the longest of {CALLERS} calls in flight"
    cost_ms = it.longest_cost_s * 1000
    return [Goal(what, "≤ 5 ms", f"{cost_ms:.1f} ms", cost_ms <= 5)]
