"""PAYLOADS.md: what was measured beside what was asked for, the contestants, what differs, and how to read it."""

from collections import Counter

from benchmarks.goals import MIB, Goal
from benchmarks.machine import loaded
from benchmarks.payloads.contestants import ENGINE, IN_PYTHON
from benchmarks.payloads.generate import LINES_SCHEMA
from benchmarks.payloads.goals import CALL_NAMES, goals, unexplained
from benchmarks.payloads.measured import FILES, Measured
from benchmarks.results import table
from benchmarks.rpc.calling import IN_FLIGHT
from benchmarks.rpc.unary import EMPTY, PAYLOAD_BYTES, TAKEN

HOW = """\
`make bench-payloads` makes the payloads, installs the peers and measures everything in one run; this page is what it
wrote. A payload costs CPU seconds (user and system, all threads of the process) from its bytes to its verdict; of an
invalid payload the errors are part of the verdict. Each program measures itself, pass after pass over the same payloads
in memory, after one pass that does not count. Contestants run in turn on one core, round after round; figures are
medians, the spread is from the quickest to the slowest run. The payloads are seeded, of all nine schemas in a random
order; each contestant is told the schema of each. Most have their members in the order of the schema and no blanks; one
in four has another order, one in four has blanks, one in four escapes. In an invalid one, one to three members are
wrong or missing."""

LOADED = "Ratios bear it best, for all contestants met the same load."


def render(measured: Measured) -> str:
    """Return the page."""
    found = goals(measured)
    parts = [
        "# Payloads",
        *loaded(measured.before, measured.after, LOADED),
        HOW,
        "## Asked and measured",
        table(
            ("what", "asked", "measured", "met"),
            [(it.what, it.asked, it.measured, "yes" if it.met else "**no**") for it in found],
        ),
        "## Where we lose",
        "\n".join(f"- {line}" for line in losses(measured, found)),
        "## Beside the peers, on one core",
        *(contest(measured, file) for file in FILES if measured.races),
        "How each was run:",
        "\n".join(f"- {it.name}: {it.setting}." for it in measured.judges),
        *([f"Left out: {name}: {why}." for name, why in measured.left_out.items()]),
        "## What differs",
        *differences(measured),
        "## ValidatePayload over loopback",
        calls(measured),
        "## JSON Lines",
        lines(measured),
        "## The run",
        run(measured),
    ]
    return "\n\n".join(parts) + "\n"


def losses(measured: Measured, found: list[Goal]) -> list[str]:
    """Return a sentence for everything that was missed, or that a peer does better than ours in the same language."""
    lines = [f"Missed: {it.what}: {it.measured}, asked {it.asked}." for it in found if not it.met]
    for peer in measured.judges:
        ours = (ENGINE if peer.in_rust else IN_PYTHON).key
        for file in FILES:
            our_s, peer_s = measured.payload_s(ours, file), measured.payload_s(peer.key, file)
            if our_s is not None and peer_s is not None and peer_s < our_s and ours != peer.key:
                lines.append(f"{peer.name} is quicker, {file}.")
    return lines or ["Nowhere in this run."]


def contest(measured: Measured, file: str) -> str:
    """Return the table of one file."""
    rows: list[tuple[str, ...]] = []
    for judge in measured.judges:
        race = measured.races[judge.key][file]
        cost_s = measured.payload_s(judge.key, file)
        if cost_s is None:
            rows.append((judge.name, f"failed: {race.failed}", *([""] * 5)))
            continue
        ratios = []
        for ours in (ENGINE, IN_PYTHON):
            our_s = measured.payload_s(ours.key, file)
            ratios.append(f"{cost_s / our_s:.2f}" if our_s else "–")
        errors = {int(usage.printed["errors"]) for usage in race.usages}
        rows.append(
            (
                judge.name,
                f"**{cost_s * 1e6:.2f} µs**",
                f"{race.spread:.0%}",
                *ratios,
                f"{max(race.counted):,}{'' if race.agrees else ' (!)'}",
                f"{max(errors):,}",
            )
        )
    head = (
        *("", "CPU a payload", "spread", "by the engine in Rust", "by ours in Python"),
        *("found invalid", "errors reported"),
    )
    size_bytes = measured.payload_bytes[file]
    title = f"{measured.payloads:,} payloads, {file}, {size_bytes:.0f} bytes on average"
    return f"### {title}\n\n{table(head, rows)}"


def differences(measured: Measured) -> list[str]:
    """Say what each checks and reports, and on which shared vectors its verdict is another than ours."""
    rows = []
    for judge in measured.judges:
        agreement = measured.agreements.get(judge.key)
        judged = f"{agreement.agreed:,} of {agreement.vectors:,}" if agreement else "not asked"
        rows.append((judge.name, judge.formats, judge.errors, judged))
    head = ("", "checks of formats", "errors reported", "vectors judged as we do")
    lines = []
    for judge in measured.judges:
        found = measured.agreements[judge.key].differences if measured.agreements else Counter()
        if not found:
            continue
        counted = ", ".join(f"{what} ({count})" for what, count in sorted(found.items()))
        lines.append(f"- {judge.name} {counted}. {judge.differs}".rstrip())
    for judge in measured.judges:
        lines += [f"- **{judge.name}: unexplained: {it}.**" for it in unexplained(measured, judge)]
    how = """\
The vectors are those of tests/vectors/payloads: for every field of every schema a valid value and each way to be
invalid, most of them at the edge of a rule. The payloads above are no such edge: every contestant finds the same ones
invalid."""
    return [table(head, rows, text_columns=3), how, *(["\n".join(lines)] if lines else [])]


def calls(measured: Measured) -> str:
    """Return the table of ValidatePayload."""
    rates = measured.call_rates
    if not rates:
        return "Not measured."
    rows = [
        (
            CALL_NAMES[kind],
            f"{it.call_cpu_s * 1e6:.0f} µs",
            f"{it.per_second:,.0f}",
            f"{rates[EMPTY].call_cpu_s / it.call_cpu_s:.0%}",
            f"{rates[TAKEN].call_cpu_s / it.call_cpu_s:.0%}",
        )
        for kind, it in rates.items()
    ]
    head = (
        "call",
        "CPU of the server",
        "calls a second",
        "by the empty call",
        "by the call that judges nothing",
    )
    how = f"""\
Payloads of {PAYLOAD_BYTES:,} bytes, {IN_FLIGHT} calls in flight, {measured.calls:,} calls a round. A server of the
benchmark serves the first two kinds, on the stack of the daemon: event loop, options, interceptor, metrics. Rates are
by the CPU seconds of the server. Client and server share the machine, so that the calls a second also depend on the
client."""
    return f"{table(head, rows)}\n\n{how}"


def lines(measured: Measured) -> str:
    """Return the tables of JSON Lines."""
    if not measured.growths:
        return "Not measured."
    streams = [
        (
            file,
            f"{it.payload_bytes:.0f}",
            f"{it.engine_s * 1e6:.2f} µs",
            f"{it.batch_s * 1e6:.2f} µs",
            f"**{it.share:.0%}**",
        )
        for file, it in measured.streams.items()
    ]
    growths = [
        (
            file,
            *(f"{seconds:.2f} s" for seconds in (it.short_cpu_s, it.long_cpu_s)),
            f"**{it.times:.2f}**",
            f"{it.long_peak_bytes / MIB:.1f} MiB",
            f"**{it.above_interpreter_bytes / MIB:.1f} MiB**",
        )
        for file, it in measured.growths.items()
    ]
    how = f"""\
{measured.lines:,} payloads of {LINES_SCHEMA}. The engine judges each payload where it is in memory. The batch is
`fastcsv.validate_payload_file`, one thread, the start of the interpreter included: it reads the file, finds the lines,
and writes every invalid payload with its errors into three files with checksums, synced to the disk. So at 50 % invalid
most of its time goes into writing."""
    return "\n\n".join(
        (
            how,
            table(("", "bytes", "engine", "batch", "batch by the engine"), streams),
            table(
                ("", "CPU", "CPU of ten", "times", "peak RSS of ten", "above the interpreter"),
                growths,
            ),
        )
    )


def run(measured: Measured) -> str:
    """Say on what, with what, and how quietly it was measured."""
    after = measured.after or measured.before
    versions = ", ".join(f"{name} {version}" for name, version in sorted(measured.versions.items()))
    stolen_s = after.stolen_s - measured.before.stolen_s
    busy = f"{measured.before.busy_cores:.2f} cores busy with other work before, {after.busy_cores:.2f} after"
    lines = (
        f"- Machine: {measured.machine}.",
        f"- Versions: {versions}.",
        f"- {measured.rounds} rounds.",
        f"- {busy}; {stolen_s:.1f} s taken by the hypervisor.",
    )
    return "\n".join(lines)
