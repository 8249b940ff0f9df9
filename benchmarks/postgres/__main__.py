"""`make bench-postgres`: what pool and breaker cost, beside their peers; writes build/benchmarks/POSTGRES.md."""

import argparse
import asyncio
import json
import subprocess
import sys
from importlib.metadata import version
from statistics import median

from benchmarks import machine, places
from benchmarks.postgres import loans
from benchmarks.postgres.breaker import ASKED_US, LoanCost, loan_cost
from benchmarks.postgres.bursts import CALLERS, CONNECT_DELAY_S, HIKARI, OURS, Burst, bursts
from benchmarks.postgres.server import server
from benchmarks.results import table

ROUNDS = 9
ASKED_LOAN = 1.1
ASKED_TIME = 1.2
ASKED_OPENED = 1


def measure_loans(conninfo: str, rounds: int) -> dict[str, float]:
    """Return CPU seconds a loan, by way; medians of a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.postgres.loans", str(rounds)]
    done = subprocess.run(argv, input=conninfo, stdout=subprocess.PIPE, text=True, check=True)
    return {way: median(seconds) for way, seconds in json.loads(done.stdout).items()}


def loans_table(found: dict[str, float]) -> str:
    """Return what a loan costs in each way, and ours by it."""
    rows = [
        (way, f"{seconds * 1e6:.1f} µs", f"{found[loans.OURS] / seconds:.2f}")
        for way, seconds in found.items()
    ]
    return table(("lending and taking back", "CPU", "ours ÷ it"), rows)


def breaker_table(cost: LoanCost) -> str:
    """Return what a loan costs with the breaker before it, and with the timing for the metrics."""
    rows = [
        ("the pool alone", f"{cost.pool_us:.2f} µs"),
        ("through the breaker", f"{cost.breaker_us:.2f} µs"),
        ("through the breaker, timed for the metrics", f"{cost.timed_us:.2f} µs"),
    ]
    return table(("a loan", "CPU"), rows)


def bursts_table(found: dict[int, dict[str, Burst]]) -> str:
    """Return the time and the connections of each burst."""
    rows = [
        (
            f"{CALLERS} callers, {queries} each",
            name,
            f"{burst.median_s * 1e3:.0f} ms",
            f"{burst.median_opened:g}",
        )
        for queries, by_pool in found.items()
        for name, burst in by_pool.items()
    ]
    return table(("burst", "pool", "time", "connections opened"), rows, text_columns=2)


def goals(
    lent: dict[str, float], found: dict[int, dict[str, Burst]], cost: LoanCost
) -> list[tuple[str, str, str, str]]:
    """Return what was asked beside what was measured."""
    ratio = lent[loans.OURS] / lent[loans.PAIR]
    lines = [
        (
            "a loan by psycopg_pool's cheapest",
            f"≤ {ASKED_LOAN}",
            f"{ratio:.2f}",
            ratio <= ASKED_LOAN,
        ),
        (
            "breaker and timing, more for a loan",
            f"≤ {ASKED_US:g} µs",
            f"{cost.more_us:.2f} µs",
            cost.more_us <= ASKED_US,
        ),
    ]
    for queries, by_pool in found.items():
        ours, peer = by_pool[OURS], by_pool.get(HIKARI)
        if peer is None:
            continue
        times, more = ours.median_s / peer.median_s, ours.median_opened - peer.median_opened
        what = f"burst, {queries} each: "
        lines += [
            (what + "time by HikariCP's", f"≤ {ASKED_TIME}", f"{times:.2f}", times <= ASKED_TIME),
            (what + "connections over HikariCP's", f"≤ {ASKED_OPENED}", f"{more:g}", more <= 1),
        ]
    return [(what, asked, got, "yes" if met else "**no**") for what, asked, got, met in lines]


def main() -> None:
    """Measure everything, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postgres", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    before = machine.moment()
    with server() as target:
        lent = measure_loans(target.conninfo, rounds)
        cost = asyncio.run(loan_cost(target, rounds))
        found, left_out = bursts(target, rounds)
    how = (
        f"{machine.describe()}; psycopg_pool {version('psycopg-pool')}; {rounds} rounds, in turn, medians; before the "
        f"run {before.busy_cores:.1f} cores were busy with other work."
    )
    page = "\n\n".join(
        [
            "# The pool and the breaker",
            how,
            table(("what", "asked", "measured", "met"), goals(lent, found, cost)),
            loans_table(lent),
            breaker_table(cost),
            (
                "The pool was idle, of five connections and at most twenty. A query takes 2 ms, connecting "
                f"{CONNECT_DELAY_S * 1e3:.0f} ms."
            ),
            bursts_table(found),
            f"Left out: HikariCP ({left_out})." if left_out else "",
        ]
    )
    places.BUILD.mkdir(parents=True, exist_ok=True)
    (places.BUILD / "POSTGRES.md").write_text(page.rstrip() + "\n", encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
