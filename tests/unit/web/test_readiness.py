"""Whether the daemon takes work: it serves, does not stop, holds its lease, and reaches its repository."""

from stewardd.health.monitor import Finding, Monitor, Probe
from stewardd.health.state import HealthState
from stewardd.web.readiness import Readiness


class Part:
    """A component whose state a test sets."""

    def __init__(self, name):
        self.name = name
        self.state = HealthState.HEALTHY

    async def look(self):
        return Finding(self.state, "a detail that is for Health only")


async def watched(*parts):
    monitor = Monitor()
    for part in parts:
        monitor.add(Probe(part.name, part.look, 3600.0, 5.0))
    await monitor.start()
    return monitor


def failed(readiness):
    return [check.name for check in readiness.checks() if check.keeps_from_work]


async def test_a_daemon_that_starts_says_only_that():
    readiness = Readiness(Monitor())
    assert failed(readiness) == ["serving"]
    assert not readiness.is_ready


async def test_each_thing_that_is_needed_keeps_it_from_work_by_name():
    repository, database = Part("repository"), Part("database/main")
    monitor = await watched(repository, database)
    lease = [True]
    readiness = Readiness(monitor)
    readiness.use_lease(lambda: lease[0])
    readiness.is_serving = True
    assert readiness.is_ready
    lease[0] = False
    assert failed(readiness) == ["lease"]
    repository.state = HealthState.DOWN
    await monitor.look_now("repository")
    assert failed(readiness) == ["lease", "repository"]
    lease[0], repository.state = True, HealthState.DEGRADED
    await monitor.look_now("repository")
    assert readiness.is_ready, "little room is no reason to send work elsewhere"
    monitor.announce_stop()
    assert failed(readiness) == ["serving"]
    await monitor.stop()


async def test_a_database_that_is_down_is_named_and_keeps_it_from_nothing():
    database = Part("database/main")
    database.state = HealthState.DOWN
    monitor = await watched(Part("repository"), database)
    readiness = Readiness(monitor)
    readiness.use_lease(lambda: True)
    readiness.is_serving = True
    assert readiness.is_ready
    (check,) = [each for each in readiness.checks() if each.name == "database/main"]
    assert not check.is_met
    assert "not needed" in check.said
    assert "detail" not in check.said
    await monitor.stop()
