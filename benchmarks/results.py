"""RESULTS.md: what was measured beside what was asked for, the cases where we lose, and how to read it."""

from collections.abc import Iterable, Sequence

from benchmarks.contestants import OURS, PEERS_OF_OURS, SIMD_OWN, Contestant
from benchmarks.goals import ASKED_WHERE_RUST_MAKES, MIB, Goal, goals, ratio
from benchmarks.machine import loaded
from benchmarks.measured import FILES, Measured
from benchmarks.rpc.scraping import CALLERS

HOW = """\
`make bench` makes the files, installs the peers and measures everything in one run; this page is what it wrote. A rate
is rows by CPU seconds (user and system, by `wait4`) of the whole process: interpreter, start and end included, for all
alike. Contestants run in turn on one core, round after round; figures are medians, the spread is from the quickest to
the slowest run. Input comes from the page cache, output goes to memory where there is such a file system, so that the
disk is not measured; what a file system costs the processor is. The files are language_session 1.1, seeded: e-mail
addresses, timestamps, quoted commas, doubled quotes, line ends inside cells, some of it not ASCII; an invalid row
breaks one to three rules. Every peer writes its bad rows with what is wrong with them; only ours writes three files
with checksums, byte offsets and line numbers, and bounds what it reads."""

LOADED = (
    "CPU seconds suffer from shared caches and memory, seconds of the clock from everything: two cores and loopback "
    "mean little here. Ratios bear it best, for all contestants met the same load."
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> str:
    """Return a Markdown table; all but the first columns are numbers."""
    rule = ["---"] * text_columns + ["---:"] * (len(head) - text_columns)
    lines = [head, rule, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def render(measured: Measured) -> str:
    """Return the page."""
    found = goals(measured)
    parts = [
        "# Results",
        *loaded(measured.before, measured.after, LOADED),
        HOW,
        "## Asked and measured",
        table(
            ("what", "asked", "measured", "met"),
            [
                (goal.what, goal.asked, goal.measured, "yes" if goal.met else "**no**")
                for goal in found
            ],
        ),
        *yardstick(measured),
        "## Where we lose",
        "\n".join(f"- {line}" for line in losses(measured, found)),
        "## Beside the peers, on one core",
        *(contest(measured, name) for name in FILES if measured.races),
        agreement(measured),
        "How each was run:\n\n" + "\n".join(settings(measured)),
        "## Two cores",
        cores(measured),
        "## Ten times the file",
        growths(measured),
        "## Over loopback",
        loopback(measured),
        "## Reading the quarantine",
        quarantine(measured),
        "## Scraping the metrics",
        scraping(measured),
        "## The run",
        run(measured),
    ]
    return "\n\n".join(parts) + "\n"


def yardstick(measured: Measured) -> list[str]:
    """Say how this machine compares to the one that the rates asked for come from."""
    ours, rust = (measured.races.get(it.key, {}) for it in (OURS, SIMD_OWN))
    if not all(races.get(file) and races[file].usages for races in (ours, rust) for file in FILES):
        return []
    there = " and ".join(f"{rate:.2f} M" for rate in ASKED_WHERE_RUST_MAKES)
    here = " and ".join(f"{rust[file].rate / 1e6:.2f} M" for file in FILES)
    by_it = " and ".join(
        f"{rate * ours[file].rate / rust[file].rate:.1f} M"
        for file, rate in zip(FILES, ASKED_WHERE_RUST_MAKES, strict=True)
    )
    return [
        f"""\
The rates asked for come from a machine where the Rust program, with its own e-mail check, makes {there} rows per CPU
second at {" and ".join(FILES)} invalid; in this run it made {here}. By that yardstick ours are {by_it}."""
    ]


def contenders(measured: Measured) -> list[Contestant]:
    """Return who was measured, ours first."""
    return [it for it in (OURS, *PEERS_OF_OURS) if measured.races.get(it.key)]


def losses(measured: Measured, found: Sequence[Goal]) -> list[str]:
    """Return a sentence for everything that was missed, or that another does better."""
    lines = [
        f"Missed: {goal.what}: {goal.measured}, asked {goal.asked}."
        for goal in found
        if not goal.met
    ]
    ours = measured.races.get(OURS.key, {})
    for peer in contenders(measured):
        for file, race in measured.races[peer.key].items():
            if peer is OURS or not race.usages:
                continue
            if race.cpu_s < ours[file].cpu_s:
                lines.append(f"{peer.name} is quicker at {file} invalid.")
            if race.peak_bytes < ours[file].peak_bytes:
                lines.append(
                    f"{peer.name} needs less memory at {file} invalid: {race.peak_bytes / MIB:.0f} MiB, "
                    f"ours {ours[file].peak_bytes / MIB:.0f} MiB."
                )
    return lines or ["Nowhere in this run."]


def contest(measured: Measured, file: str) -> str:
    """Return the table of one file."""
    rows = []
    for contestant in contenders(measured):
        race = measured.races[contestant.key][file]
        if race.usages:
            by = ratio(measured, contestant, file) or 0.0
            rows.append(
                (
                    contestant.name,
                    f"{race.rate / 1e6:.2f} M",
                    f"{race.cpu_s:.2f} s",
                    f"{race.spread:.0%}",
                    "1" if contestant is OURS else f"**{by:.2f}**",
                    f"{race.peak_bytes / MIB:.0f} MiB",
                    f"{max(race.counted):,}{'' if race.agrees else ' (!)'}",
                )
            )
    head = ("", "rows per CPU s", "CPU", "spread", "ours ÷ it", "peak RSS", "bad rows found")
    title = f"{measured.rows:,} rows, {file} invalid, {measured.row_bytes[file]:.0f} bytes a row"
    return f"### {title}\n\n{table(head, rows)}"


def agreement(measured: Measured) -> str:
    """Say whose verdicts agree with ours, and where they cannot."""
    lines = ["Bad rows found, held to ours to the row:"]
    for contestant in contenders(measured):
        if contestant is OURS:
            continue
        for file, race in measured.races[contestant.key].items():
            if race.failed:
                lines.append(f"- {contestant.name}, {file}: failed: {race.failed}")
            elif not race.agrees:
                counted = ", ".join(f"{it:,}" for it in sorted(race.counted))
                lines.append(
                    f"- **{contestant.name}, {file}: found {counted}, should have found {race.expected:,}.**"
                )
        if all(race.agrees for race in measured.races[contestant.key].values()):
            but = (
                f"as many as it should: {contestant.differs}"
                if contestant.differs
                else "the same as ours"
            )
            lines.append(f"- {contestant.name}: {but}.")
    lines += [f"- Left out: {name}: {reason}." for name, reason in measured.left_out.items()]
    return "\n".join(lines)


def settings(measured: Measured) -> list[str]:
    """Say how each was run."""
    return [f"- {it.name}: {it.setting}." for it in contenders(measured)]


def cores(measured: Measured) -> str:
    """Return the table of two threads beside two runs."""
    if not measured.doublings:
        return f"Not measured: {measured.skipped.get('cores', 'not asked for')}."
    head = (
        "invalid",
        "one thread",
        "two threads",
        "two runs side by side",
        "two threads by two runs",
        "speed-up",
    )
    rows = [
        (
            file,
            *(f"{seconds:.3f} s" for seconds in (it.one_alone_s, it.two_threads_s, it.two_runs_s)),
            f"**{it.ratio:.2f}**",
            f"{it.one_alone_s / it.two_threads_s:.2f}",
        )
        for file, it in measured.doublings.items()
    ]
    return table(head, rows) + "\n\nSeconds of the clock, without the interpreter's start; medians."


def growths(measured: Measured) -> str:
    """Return the table of the file and ten of it."""
    if not measured.growths:
        return f"Not measured: {measured.skipped.get('length', 'not asked for')}."
    head = (
        "invalid",
        "CPU",
        "CPU of ten",
        "times",
        "peak RSS",
        "peak RSS of ten",
        "above the interpreter",
    )
    rows = [
        (
            file,
            f"{it.short_cpu_s:.2f} s",
            f"{it.long_cpu_s:.2f} s",
            f"**{it.times:.2f}**",
            f"{it.short_peak_bytes / MIB:.1f} MiB",
            f"{it.long_peak_bytes / MIB:.1f} MiB",
            f"**{it.above_interpreter_bytes / MIB:.1f} MiB**",
        )
        for file, it in measured.growths.items()
    ]
    return (
        table(head, rows)
        + "\n\nHere the output goes to the disk. The interpreter is one that does nothing."
    )


def loopback(measured: Measured) -> str:
    """Return the tables of ValidateBatch and of Health."""
    if not measured.end_to_end:
        return f"Not measured: {measured.skipped.get('loopback', 'not asked for')}."
    head = ("invalid", "engine, one thread", "bare sink", "ValidateBatch", "by the slower")
    rows = [
        (
            file,
            *(f"{rate / 1e6:,.0f} MB/s" for rate in (it.engine, it.sink, it.validate_batch)),
            f"**{it.share:.0%}**",
        )
        for file, it in measured.end_to_end.items()
    ]
    latencies = [
        (name, f"**{it.median_s * 1000:.2f} ms**", f"{it.p99_s * 1000:.1f} ms", f"{it.calls}")
        for name, it in measured.health.items()
    ]
    return "\n\n".join(
        (
            "Client and server share the machine; every core may be used by both.",
            table(head, rows),
            "While four clients upload without a pause:",
            table(("call", "median", "99th percentile", "calls"), latencies),
        )
    )


def quarantine(measured: Measured) -> str:
    """Return the table of reading a quarantine."""
    it = measured.reading
    if it is None:
        return "Not measured."
    seconds = (it.empty_page_s, it.first_page_s, it.stats_s)
    row = (
        f"{it.rows:,}",
        *(f"{each * 1000:.1f} ms" for each in seconds),
        f"{it.grown_bytes / MIB:.1f} MiB",
    )
    head = ("rows", "first page of none", "first page", "stats", "memory")
    return (
        table([*head], [row], text_columns=0)
        + "\n\nPages of 50 rows over loopback, medians; stats once, with the five commonest invalid values, for which "
        "the rows are looked at. Memory is the daemon's peak over what it had before."
    )


def scraping(measured: Measured) -> str:
    """Return the table of what a scrape costs."""
    it = measured.scraping
    if it is None:
        return "Not measured."
    row = (
        f"{it.lines:,}",
        f"{it.scrape_s * 1000:.1f} ms",
        f"{it.quiet_median_s * 1000:.1f} ms",
        f"**{it.median_cost_s * 1000:.1f} ms**",
        f"**{it.longest_cost_s * 1000:.1f} ms**",
    )
    head = (
        "lines",
        "a scrape",
        "a call without",
        "more for a call under one",
        "more for the longest",
    )
    return (
        table(head, [row], text_columns=0)
        + f"\n\n{CALLERS} calls of Health are in flight all the time. Of each pair of windows, one with a scrape and "
        "one without, the medians and the longest calls are compared; medians of the pairs."
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
        f"- {measured.rounds} rounds, twice as many on two cores and over loopback.",
        f"- {busy}; {stolen_s:.1f} s taken by the hypervisor.",
    )
    return "\n".join(lines)
