"""The breaker against a plain model that keeps every admission and every report and counts them anew each time."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from stewardd.errors import CircuitOpen
from stewardd.postgres.breaker import (
    Breaker,
    BreakerOptions,
    BreakerState,
    Ticket,
    Transition,
)

OPEN_S, JITTER, LEASE_S, RETRY_S = 64.0, 0.25, 8.0, 1.0
# How many are newer than the one that is meant; the newest are the likeliest.
AGES = st.sampled_from([0, 0, 0, 1, 1, 2, 4, 8])
CHANCES = st.sampled_from([0.0, 0.25, 0.5, 1.0])
ARROWS = {
    ("closed", "open"),
    ("open", "half_open"),
    ("half_open", "closed"),
    ("half_open", "open"),
    ("open", "closed"),
    ("forced_open", "closed"),
    ("closed", "forced_open"),
    ("open", "forced_open"),
    ("half_open", "forced_open"),
}


@dataclass
class Admission:
    """One caller that was let in: in which period, until when it may answer, and what it reported."""

    period: int
    end_s: float
    report: bool | None = None
    is_gone: bool = False


@dataclass
class Model:
    """A breaker that remembers everything. A period is the time between two changes of state."""

    failures: int
    probes: int
    state: str = "closed"
    period: int = 0
    open_until_s: float = 0.0
    answers: list[bool] = field(default_factory=list)
    admissions: list[Admission] = field(default_factory=list)

    def change(self, state: str) -> None:
        self.state, self.answers = state, []
        self.period += 1

    def open(self, now_s: float, chance: float) -> None:
        self.change("open")
        self.open_until_s = now_s + OPEN_S * (1 - JITTER) + chance * 2 * JITTER * OPEN_S

    def pass_time(self, now_s: float) -> None:
        if self.state == "open" and now_s >= self.open_until_s:
            self.change("half_open")

    def probes_out(self, now_s: float) -> int:
        return sum(
            each.period == self.period
            and each.report is None
            and not each.is_gone
            and now_s < each.end_s
            for each in self.admissions
        )

    def may_enter(self, now_s: float) -> bool:
        self.pass_time(now_s)
        if self.state == "half_open":
            return self.probes_out(now_s) < self.probes
        return self.state == "closed"

    def admit(self, now_s: float) -> int:
        end_s = float("inf") if self.state == "closed" else now_s + LEASE_S
        self.admissions.append(Admission(self.period, end_s))
        return len(self.admissions) - 1

    def report(self, number: int, now_s: float, chance: float, *, success: bool) -> None:
        admission = self.admissions[number]
        admission.report = success
        if admission.period != self.period or now_s >= admission.end_s or admission.is_gone:
            return
        if self.state == "half_open":
            if success:
                self.change("closed")
            else:
                self.open(now_s, chance)
            return
        self.answers.append(success)
        if len(self.answers) >= self.failures and not any(self.answers[-self.failures :]):
            self.open(now_s, chance)


class Life(RuleBasedStateMachine):
    @initialize(failures=st.integers(1, 3), probes=st.integers(1, 3))
    def begin(self, failures: int, probes: int) -> None:
        self.now_s = 1000.0
        self.chance = 0.5
        self.model = Model(failures, probes)
        options = BreakerOptions(failures, OPEN_S, JITTER, probes, LEASE_S, RETRY_S)
        self.breaker = Breaker("main", options, lambda: self.chance, self.now_s)
        self.heard: list[Transition] = []
        self.breaker.listen(self.heard.append)
        # Those that have not reported yet, with their numbers in the model, the newest last.
        self.out: list[tuple[Ticket, int]] = []

    @rule(passed_s=st.sampled_from([0.5, 7.5, 8.0, 47.5, 48.0, 64.0, 80.0]), chance=CHANCES)
    def time_passes(self, passed_s: float, chance: float) -> None:
        self.now_s += passed_s
        self.chance = chance

    @rule()
    def a_caller_comes(self) -> None:
        expected = self.model.may_enter(self.now_s)
        calm_ticket = self.breaker.calm_ticket
        try:
            ticket = self.breaker.admit(self.now_s)
        except CircuitOpen as error:
            assert not expected
            assert error.retry_after_s is not None
            longest_s = OPEN_S if self.model.state == "forced_open" else RETRY_S
            assert 0 < error.retry_after_s <= longest_s
            assert error.metadata == {"database": "main", "state": self.model.state}
            return
        assert expected
        assert self.breaker.is_probe(ticket) == (self.model.state == "half_open")
        assert calm_ticket in (None, ticket)
        self.out.append((ticket, self.model.admit(self.now_s)))

    @rule()
    def a_connection_is_being_made(self) -> None:
        self.model.pass_time(self.now_s)
        assert self.breaker.view(self.now_s).state.value == self.model.state
        ticket = self.breaker.current_ticket()
        number = self.model.admit(self.now_s) if self.model.state == "closed" else -1
        self.out.append((ticket, number))

    def report(self, ticket: Ticket, number: int, *, success: bool) -> None:
        if success:
            self.breaker.succeeded(ticket, self.now_s)
        else:
            self.breaker.failed(ticket, self.now_s)
        if number >= 0:
            self.model.report(number, self.now_s, self.chance, success=success)

    @precondition(lambda self: self.out)
    @rule(age=AGES, success=st.booleans(), is_told=st.booleans())
    def one_reports(self, age: int, success: bool, is_told: bool) -> None:
        """A success with the calm ticket need not be told: the model counts it in any case."""
        ticket, number = self.out.pop(-1 - age % len(self.out))
        if success and not is_told and ticket == self.breaker.calm_ticket:
            self.model.report(number, self.now_s, self.chance, success=True)
        else:
            self.report(ticket, number, success=success)

    @precondition(lambda self: self.out)
    @rule(age=AGES)
    def one_is_cancelled(self, age: int) -> None:
        ticket, number = self.out.pop(-1 - age % len(self.out))
        self.breaker.cancelled(ticket)
        if number >= 0:
            self.model.admissions[number].is_gone = True

    @precondition(lambda self: self.model.state == "closed")
    @rule(is_seen=st.booleans(), callers=st.integers(0, 4))
    def the_database_goes_away(self, is_seen: bool, callers: int) -> None:
        """All that leads to HALF_OPEN at once, with some callers there: chance alone seldom comes so far."""
        while self.model.state == "closed":
            self.a_caller_comes()
            self.report(*self.out.pop(), success=False)
        if is_seen:
            self.the_database_is_seen()
            for _ in range(callers):
                self.a_caller_comes()

    @rule()
    def the_database_is_seen(self) -> None:
        self.breaker.database_seen(self.now_s)
        if self.model.state == "open":
            self.model.change("half_open")

    @rule()
    def somebody_resets_it(self) -> None:
        self.breaker.reset(self.now_s)
        self.model.change("closed")

    @rule()
    def somebody_opens_it(self) -> None:
        self.breaker.force_open(self.now_s)
        self.model.change("forced_open")

    @invariant()
    def it_is_as_the_model_is(self) -> None:
        self.model.pass_time(self.now_s)
        view = self.breaker.view(self.now_s)
        assert view.state.value == self.model.state
        if view.state is BreakerState.HALF_OPEN:
            assert view.probes == self.model.probes_out(self.now_s) <= self.model.probes
        elif view.state is BreakerState.CLOSED:
            last = [*reversed(self.model.answers), True]
            assert view.failures == last.index(True)
            assert (self.breaker.calm_ticket is None) == (view.failures > 0)
        elif view.state is BreakerState.OPEN:
            assert view.half_open_at_s == self.model.open_until_s
        if view.state is not BreakerState.CLOSED:
            assert self.breaker.calm_ticket is None

    @invariant()
    def who_listens_hears_every_change_once_and_in_order(self) -> None:
        assert all((each.before.value, each.after.value) in ARROWS for each in self.heard)
        for one, other in zip(self.heard, self.heard[1:], strict=False):
            assert one.after is other.before
            assert one.at_s <= other.at_s
        if self.heard:
            assert self.heard[-1].after.value == self.model.state

    def teardown(self) -> None:
        """However it stands, and whoever never reported: time alone lets the next caller in."""
        if not hasattr(self, "breaker") or self.model.state == "forced_open":
            return
        later_s = self.now_s + OPEN_S * (1 + JITTER) + LEASE_S
        self.breaker.admit(later_s)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
