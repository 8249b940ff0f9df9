"""Pieces are judged on a thread, in order, several at once where several wait; no more are held than may wait."""

import asyncio
import itertools
import os
import sys
import threading
import time
from concurrent.futures import wait

import pytest
from stewardd.validation.engine_threads import (
    LONE_NICENESS,
    MAX_PIECES,
    EngineThreads,
    PieceQueue,
)

from tests.support.waiting import until

PIECE = b"x" * 100


@pytest.fixture
def engine():
    with EngineThreads(2, 0) as made:
        yield made


class Judge:
    """Notes what it is given; works only while `gate` is open, and fails at a piece that says so."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.seen = []
        self.calls = []
        self.inside = 0

    def __call__(self, pieces):
        self.inside += 1
        assert self.inside == 1, "two threads at once"
        self.gate.wait(10)
        self.seen += pieces
        self.calls.append(len(pieces))
        self.inside -= 1
        if b"bad" in pieces:
            raise ValueError("bad")


async def test_all_pieces_are_judged_in_order(engine):
    judge = Judge()
    intake = PieceQueue(engine, judge, 5)
    pieces = [b"%d" % number for number in range(500)]
    for piece in pieces:
        await intake.put(piece)
    await intake.settle()
    assert judge.seen == pieces


async def test_no_more_waits_than_may(engine):
    judge = Judge()
    judge.gate.clear()
    intake = PieceQueue(engine, judge, 3 * len(PIECE))
    for _ in range(3):
        await asyncio.wait_for(intake.put(PIECE), 5)
    fourth = asyncio.create_task(intake.put(PIECE))
    await asyncio.sleep(0.05)
    assert not fourth.done()
    judge.gate.set()
    await asyncio.wait_for(fourth, 5)
    await intake.settle()
    assert len(judge.seen) == 4


async def test_no_more_pieces_wait_than_may_however_small(engine):
    judge = Judge()
    judge.gate.clear()
    intake = PieceQueue(engine, judge, 1 << 30)
    async with asyncio.timeout(10):
        for _ in range(MAX_PIECES):
            await intake.put(b"x")
        one_more = asyncio.create_task(intake.put(b"x"))
        await asyncio.sleep(0.05)
        assert not one_more.done()
        judge.gate.set()
        await one_more
        await intake.settle()
    assert len(judge.seen) == MAX_PIECES + 1


async def test_what_waits_is_judged_together_up_to_half_of_what_may(engine):
    judge = Judge()
    judge.gate.clear()
    intake = PieceQueue(engine, judge, 8 * len(PIECE))
    await intake.put(PIECE)
    await until(lambda: judge.inside)
    for _ in range(7):
        await intake.put(PIECE)
    judge.gate.set()
    await intake.settle()
    assert judge.calls == [1, 4, 3]


async def test_a_piece_over_the_bound_goes_alone(engine):
    judge = Judge()
    intake = PieceQueue(engine, judge, 1)
    for _ in range(3):
        await asyncio.wait_for(intake.put(PIECE), 5)
    await intake.settle()
    assert judge.seen == [PIECE] * 3


async def test_what_is_wrong_with_a_piece_ends_it_and_is_raised_by_what_comes_next(engine):
    judge = Judge()
    intake = PieceQueue(
        engine, judge, 12
    )  # room for the three, and too little to judge two at once
    judge.gate.clear()
    for piece in (b"good", b"bad", b"after"):
        await intake.put(piece)
    judge.gate.set()
    with pytest.raises(ValueError, match="bad"):
        await intake.settle()
    with pytest.raises(ValueError, match="bad"):
        await intake.put(b"more")
    assert judge.seen == [b"good", b"bad"]
    await intake.close()


async def test_who_waits_for_room_is_told_of_a_failure(engine):
    judge = Judge()
    judge.gate.clear()
    intake = PieceQueue(engine, judge, 1)
    await intake.put(b"bad")
    waiting = asyncio.create_task(intake.put(b"more"))
    await asyncio.sleep(0.01)
    judge.gate.set()
    with pytest.raises(ValueError, match="bad"):
        await asyncio.wait_for(waiting, 5)


async def test_closing_waits_for_the_piece_at_work_and_drops_the_others(engine):
    judge = Judge()
    judge.gate.clear()
    intake = PieceQueue(engine, judge, 1000)
    await intake.put(PIECE)
    await until(lambda: judge.inside)
    for _ in range(4):
        await intake.put(PIECE)
    closing = asyncio.create_task(intake.close())
    await asyncio.sleep(0.02)
    assert not closing.done()
    judge.gate.set()
    await asyncio.wait_for(closing, 5)
    assert len(judge.seen) == 1
    await intake.close()


async def test_a_wait_that_is_cancelled_leaves_the_rest_as_it_was(engine):
    judge = Judge()
    judge.gate.clear()
    intake = PieceQueue(engine, judge, 1)
    await intake.put(b"1")
    waiting = asyncio.create_task(intake.put(b"2"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    judge.gate.set()
    await intake.put(b"3")
    await intake.settle()
    assert judge.seen == [b"1", b"3"]


async def test_batches_that_are_more_than_threads_take_turns():
    with EngineThreads(1, 0) as one_thread:
        order = []

        def judging(name):
            def judge(_pieces):
                order.append(name)
                time.sleep(0.001)

            return judge

        async def send(name):
            intake = PieceQueue(one_thread, judging(name), 2 * len(PIECE))
            for _ in range(50):
                await intake.put(PIECE)
            await intake.settle()

        await asyncio.gather(send("a"), send("b"))
    # Each has its turn long before the other is through.
    assert {"a", "b"} == set(order[:20])
    assert {"a", "b"} == set(order[-20:])


def test_helpers_are_as_many_as_are_idle_and_come_back():
    with EngineThreads(4, 0) as engine:
        gate = threading.Event()
        with engine.helpers(10) as all_idle:
            assert all_idle == 4
        working = [engine.submit(gate.wait, 10)]
        with engine.helpers(2) as some, engine.helpers(10) as rest, engine.helpers(10) as none:
            assert (some, rest, none) == (2, 1, 0)
        with pytest.raises(ValueError, match="wrong"), engine.helpers(10):
            raise ValueError("wrong")
        working += [engine.submit(gate.wait, 10) for _ in range(5)]
        with engine.helpers(10) as none:
            assert none == 0
        gate.set()
        wait(working)
        with engine.helpers(-1) as none:
            assert none == 0


def nice_value():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="threads have nice values on Linux only")
def test_the_engine_stands_back_less_for_one_batch_and_nobody_else_does():
    before = nice_value()
    gate = threading.Event()
    with EngineThreads(2, 5) as engine:
        assert engine.submit(nice_value).result(10) == min(19, before + 5)
        assert engine.submit_batch(nice_value).result(10) == min(19, before + LONE_NICENESS)
        company = engine.submit_batch(lambda: gate.wait(10))
        assert engine.submit_batch(nice_value).result(10) == min(19, before + 5)
        gate.set()
        wait([company])
    with EngineThreads(1, 0) as engine:
        assert engine.submit_batch(nice_value).result(10) == before
    assert nice_value() == before


async def test_a_batch_goes_on_elsewhere_when_another_comes_and_when_it_is_over():
    seen = []

    def judge(_pieces):
        seen.append(threading.current_thread().name.startswith("engine-lone"))
        time.sleep(0.001)

    gate = threading.Event()
    with EngineThreads(2, 5) as engine:
        intake = PieceQueue(engine, judge, 10 * len(PIECE))
        for number in range(300):
            if number == 50:
                read = engine.submit(gate.wait, 10)  # no batch
            if number == 100:
                gate.set()
                wait([read])
                gate.clear()
                company = engine.submit_batch(lambda: gate.wait(10))
            if number == 200:
                gate.set()
                wait([company])
            await intake.put(PIECE)
        await intake.settle()
    assert [is_lone for is_lone, _ in itertools.groupby(seen)] == [True, False, True]
