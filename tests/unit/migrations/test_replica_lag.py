"""A replica is behind since the primary was first further than the replica is now."""

from __future__ import annotations

from stewardd.postgres.migrating.replica_lag import ReplicaLag


def test_a_replica_that_keeps_up_is_not_behind():
    lag = ReplicaLag()
    assert [lag.note(now, 100 * now, 100 * now) for now in range(5)] == [0.0] * 5


def test_a_replica_that_stands_still_is_ever_further_behind_and_catches_up():
    lag = ReplicaLag()
    assert lag.note(0.0, 100, 100) == 0.0
    assert [lag.note(now, 100 + 10 * now, 100) for now in (1, 2, 3)] == [0.0, 1.0, 2.0]
    assert (
        lag.note(4.0, 130, 120) == 1.0
    )  # it has what the primary wrote until 2.0, not what it wrote until 3.0
    assert lag.note(5.0, 130, 130) == 0.0


def test_where_there_is_no_replica_there_is_no_lag_and_what_was_remembered_is_forgotten():
    lag = ReplicaLag()
    lag.note(0.0, 200, 100)
    assert lag.note(9.0, 300, None) == 0.0
    assert lag.note(10.0, 300, 100) == 0.0
