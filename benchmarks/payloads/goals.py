"""What was asked of payloads, beside what a run measured."""

from collections.abc import Iterator

from benchmarks.goals import MIB, Goal
from benchmarks.payloads.contestants import (
    AJV,
    ENGINE,
    IN_PYTHON,
    JSONSCHEMA_RS,
    MSGSPEC,
    SERDE,
    SONIC,
    ZOD,
    PayloadJudge,
)
from benchmarks.payloads.measured import HALF, VALID, Measured
from benchmarks.rpc.unary import DETECTED, EMPTY, INVALID, TAKEN
from benchmarks.rpc.unary import VALID as VALID_CALL

ASKED_TIMES = (
    (ENGINE, SERDE, {VALID: 4, HALF: 3.5}),
    (ENGINE, SONIC, {VALID: 2.2, HALF: 2.5}),
    (IN_PYTHON, JSONSCHEMA_RS, {VALID: 3, HALF: 4}),
    (IN_PYTHON, MSGSPEC, {VALID: 2}),
    (IN_PYTHON, AJV, {VALID: 5, HALF: 5}),
    (IN_PYTHON, ZOD, {VALID: 8, HALF: 10}),
)
"""How many times quicker one is to be than another, by file."""

ASKED_SHARES = (
    (VALID_CALL, EMPTY, 0.8),
    (INVALID, EMPTY, 0.8),
    (DETECTED, EMPTY, 0.8),
    (VALID_CALL, TAKEN, 0.95),
)
"""Which share of the rate of one kind of call another is to reach."""

CALL_NAMES = {
    EMPTY: "an empty call",
    TAKEN: "a call that takes the same bytes and judges nothing",
    VALID_CALL: "ValidatePayload, valid",
    INVALID: "ValidatePayload, three violations",
    DETECTED: "ValidatePayload, valid, its schema detected",
}


def goals(measured: Measured) -> list[Goal]:
    """Return every goal that was measured."""
    return [*times(measured), *agreement(measured), *calls(measured), *lines(measured)]


def times(measured: Measured) -> Iterator[Goal]:
    """Yield what was asked beside the peers."""
    for ours, peer, asked in ASKED_TIMES:
        for file, least in asked.items():
            our_s, peer_s = (measured.payload_s(it.key, file) for it in (ours, peer))
            if our_s is None or peer_s is None:
                continue
            found = peer_s / our_s
            what = f"{ours.name}: times {peer.name}, {file}"
            yield Goal(what, f"≥ {least:g}", f"{found:.2f}", found >= least)


def agreement(measured: Measured) -> Iterator[Goal]:
    """Yield whether every difference from a peer's verdicts is a known one."""
    if measured.agreements:
        unknown = sum(len(unexplained(measured, it)) for it in measured.judges)
        yield Goal("unexplained differences of verdicts", "0", str(unknown), unknown == 0)


def unexplained(measured: Measured, judge: PayloadJudge) -> list[str]:
    """Return how a contestant's verdicts differ without a reason that is known."""
    agreement = measured.agreements.get(judge.key)
    found = agreement.differences if agreement else {}
    wrong = [
        f"{file}: finds {max(race.counted):,} invalid, we find {race.expected:,}"
        for file, race in measured.races.get(judge.key, {}).items()
        if race.usages and not race.agrees
    ]
    return [each for each in found if each not in judge.known] + wrong


def calls(measured: Measured) -> Iterator[Goal]:
    """Yield what was asked of ValidatePayload."""
    rates = measured.call_rates
    for judged, beside, least in ASKED_SHARES if rates else ():
        share = rates[beside].call_cpu_s / rates[judged].call_cpu_s
        what = f"{CALL_NAMES[judged]}: rate by that of {CALL_NAMES[beside]}"
        yield Goal(what, f"≥ {least:.0%}", f"{share:.0%}", share >= least)


def lines(measured: Measured) -> Iterator[Goal]:
    """Yield what was asked of JSON Lines: the rate of valid payloads, memory, and length."""
    if VALID in measured.streams:
        share = measured.streams[VALID].share
        what = f"{measured.lines:,} payloads as JSON Lines, {VALID}: rate by the engine's"
        yield Goal(what, "≥ 80 %", f"{share:.0%}", share >= 0.8)
    for file, growth in measured.growths.items():
        above = growth.above_interpreter_bytes / MIB
        what = f"memory above the interpreter, ten times the lines, {file}"
        yield Goal(what, "≤ 32 MiB", f"{above:.1f} MiB", above <= 32)
        what = f"CPU time for ten times the lines, {file}"
        yield Goal(what, "10 × ± 5 %", f"{growth.times:.2f} ×", growth.times <= 10.5)
