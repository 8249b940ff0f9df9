"""The pool against a plain model: callers that come, wait, go and fail in any order, on a real server.

The model is a list of those who hold a connection and a queue of those who wait; after each step the pool must come to
rest in the model's state, and the server must have as many sessions as the pool says.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import psycopg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from stewardd.errors import DatabaseBusy
from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.target import DatabaseTarget

from tests.integration.postgres.conftest import Clock
from tests.support.campaigns import FULL

OPTIONS = PoolOptions(
    min_size=1,
    max_size=3,
    max_waiting=3,
    acquire_timeout_s=120,
    idle_timeout_s=30,
    max_uses=4,
    max_lifetime_s=200,
    application_name="modelled",
)
NAME_OF_SESSIONS = "modelled"
REST_TIMEOUT_S = 20


@dataclass(eq=False)
class Caller:
    """One who borrows, does what it is told to, and gives back."""

    number: int
    orders: asyncio.Future[str] = field(init=False)
    task: asyncio.Task[None] = field(init=False)
    pid: int | None = None


class PoolMachine(RuleBasedStateMachine):
    """What may happen to a pool. `target` is set by the test."""

    target: DatabaseTarget

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = Clock()
        self.holding: list[Caller] = []
        self.waiting: list[Caller] = []
        self.served: list[int] = []  # as the pool served them
        self.owed: list[int] = []  # as the model would
        self.uses: Counter[int] = Counter()
        self.drained: set[int] = set()  # whoever was lent before a drain
        self.lent_in_spite_of_a_drain: list[int] = []
        self.count = self.refused = self.cancelled = 0

    @initialize()
    def open(self) -> None:
        self.pool = Pool(self.target, OPTIONS, clock=self.clock)
        self.loop.run_until_complete(self.pool.open())

    # What happens.

    @precondition(lambda self: len(self.waiting) < OPTIONS.max_waiting)
    @rule()
    def come(self) -> None:
        caller = Caller(self.count)
        self.count += 1
        caller.orders = self.loop.create_future()
        caller.task = self.loop.create_task(self.borrow(caller))
        if len(self.holding) < OPTIONS.max_size:
            self.hold(caller)
        else:
            self.waiting.append(caller)

    @precondition(lambda self: len(self.waiting) == OPTIONS.max_waiting)
    @rule()
    def come_where_the_queue_is_full(self) -> None:
        caller = Caller(-1)
        task = self.loop.create_task(self.borrow(caller))
        self.loop.run_until_complete(asyncio.wait({task}, timeout=REST_TIMEOUT_S))
        assert isinstance(task.exception(), DatabaseBusy)
        self.refused += 1

    @precondition(lambda self: self.holding)
    @rule(how=st.sampled_from(["end", "fail", "forget", "close"]), data=st.data())
    def go(self, how: str, data: st.DataObject) -> None:
        caller = self.pick(self.holding, data)
        caller.orders.set_result(how)
        self.leave(caller)

    @precondition(lambda self: self.holding)
    @rule(data=st.data())
    def be_cancelled_holding(self, data: st.DataObject) -> None:
        caller = self.pick(self.holding, data)
        caller.task.cancel()
        self.leave(caller)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def be_cancelled_waiting(self, data: st.DataObject) -> None:
        caller = self.pick(self.waiting, data)
        self.waiting.remove(caller)
        caller.task.cancel()
        self.cancelled += 1

    @rule(seconds=st.sampled_from([1, 6, 31, 120]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.now += seconds
        self.loop.run_until_complete(self.pool.tend())
        if seconds > OPTIONS.idle_timeout_s:
            stats = self.pool.stats()
            assert stats.size <= max(OPTIONS.min_size, stats.lent + stats.connecting)

    @rule()
    def drain(self) -> None:
        self.drained |= set(self.uses)

        async def in_the_loop() -> None:
            self.pool.drain()

        self.loop.run_until_complete(in_the_loop())

    @rule()
    def end_all_sessions(self) -> None:
        with psycopg.connect(self.target.conninfo, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
                [NAME_OF_SESSIONS],
            )
        if not self.holding:
            self.come()  # the pool notices when somebody asks
        # What each of them asks next fails, and nobody else's does.
        for caller in list(self.holding):
            caller.orders.set_result("end")
            self.leave(caller)

    # What must be so then.

    @invariant()
    def it_comes_to_rest_in_the_models_state(self) -> None:
        if not hasattr(self, "pool"):
            return
        self.loop.run_until_complete(self.rest())
        stats = self.pool.stats()
        assert self.served == self.owed  # first come, first served
        assert (stats.refused, stats.cancelled, stats.timeouts) == (self.refused, self.cancelled, 0)
        assert stats.acquires == len(self.served)
        assert stats.size == stats.idle + stats.lent + stats.connecting
        assert OPTIONS.min_size <= stats.size <= OPTIONS.max_size
        pids = [caller.pid for caller in self.holding]
        assert len(set(pids)) == len(pids)  # a connection is lent to one caller
        assert max(self.uses.values(), default=0) <= OPTIONS.max_uses
        assert self.lent_in_spite_of_a_drain == []
        assert self.sessions() == stats.size

    def teardown(self) -> None:
        if hasattr(self, "pool"):
            for caller in [*self.holding, *self.waiting]:
                caller.task.cancel()
            self.loop.run_until_complete(self.pool.close())
            self.loop.run_until_complete(asyncio.sleep(0))
            assert self.pool.stats().size == 0
            assert self.sessions() == 0
        self.loop.close()

    # How it is done.

    async def borrow(self, caller: Caller) -> None:
        try:
            async with self.pool.connection() as connection:
                caller.pid = connection.info.backend_pid
                self.served.append(caller.number)
                self.uses[caller.pid] += 1
                if caller.pid in self.drained:
                    self.lent_in_spite_of_a_drain.append(caller.pid)
                match await caller.orders:
                    case "end":
                        await connection.execute("SELECT 1")
                    case "fail":
                        await connection.execute("SELECT 1 / 0")
                    case "forget":
                        await connection.execute("BEGIN")
                    case "close":
                        await connection.close()
        except psycopg.Error:
            pass  # that callers hear of their errors is tested elsewhere

    def hold(self, caller: Caller) -> None:
        self.holding.append(caller)
        self.owed.append(caller.number)

    def leave(self, caller: Caller) -> None:
        self.holding.remove(caller)
        if self.waiting:
            self.hold(self.waiting.pop(0))

    def pick(self, callers: list[Caller], data: st.DataObject) -> Caller:
        return callers[data.draw(st.integers(0, len(callers) - 1))]

    async def rest(self) -> None:
        """Lets the loop run until nothing is under way."""
        deadline = time.monotonic() + REST_TIMEOUT_S
        while True:
            await asyncio.sleep(0.001)
            stats = self.pool.stats()
            if (
                (stats.connecting, stats.lent, stats.waiting)
                == (0, len(self.holding), len(self.waiting))
                and len(self.served) == len(self.owed)
                and stats.size >= OPTIONS.min_size
            ):
                return
            assert time.monotonic() < deadline, (stats, len(self.holding), len(self.waiting))

    def sessions(self) -> int:
        """How many sessions the server has of this pool; one that was closed takes a moment to end."""
        deadline = time.monotonic() + REST_TIMEOUT_S
        expected = self.pool.stats().size
        with psycopg.connect(self.target.conninfo, autocommit=True) as admin:
            while True:
                row = admin.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s",
                    [NAME_OF_SESSIONS],
                ).fetchone()
                assert row is not None
                if row[0] == expected or time.monotonic() > deadline:
                    return int(row[0])


def test_the_pool_is_what_the_model_says(database):
    class Machine(PoolMachine):
        target = database

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=300 if FULL else 8,
            stateful_step_count=30,
            deadline=None,
            phases=[Phase.generate],  # on a real server thirty steps are read sooner than shrunk
            derandomize=not FULL,
            suppress_health_check=list(HealthCheck),
        ),
    )
