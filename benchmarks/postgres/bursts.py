"""A burst of callers on an idle pool, through a network that takes 150 ms to connect: ours in turn with HikariCP's.

Both are processes of their own and reach the same server through the proxy of the tests, which delays the first bytes
of a connection and counts connections. Where Java, Maven or Maven Central is not there, ours is measured alone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from psycopg.conninfo import conninfo_to_dict
from stewardd.postgres.target import DatabaseTarget

from benchmarks.install import NotInstalled, run
from benchmarks.places import BUILD, PEERS
from benchmarks.postgres.server import by_tcp, socket_path
from tests.support.proxy import Proxy

CALLERS = 50
QUERIES = (1, 20)
CONNECT_DELAY_S = 0.15
TIMEOUT_S = 180
OURS, HIKARI = "steward", "HikariCP"
_LIBRARIES = BUILD / "hikaricp"
_HERE = PEERS / "hikaricp"
Command = Callable[[int, int], list[str]]


@dataclass(slots=True)
class Burst:
    """Of one pool: seconds until the last answer, and connections opened for the burst; one of each a round."""

    seconds: list[float] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """The seconds of a middling round."""
        return median(self.seconds)

    @property
    def median_opened(self) -> float:
        """The connections of a middling round."""
        return median(self.opened)


def install_hikari() -> None:
    """Fetch HikariCP and its driver, and compile the program. Raises NotInstalled."""
    maven = ("mvn", "-q", "-B", "-f", _HERE / "pom.xml", "dependency:copy-dependencies")
    if not list(_LIBRARIES.glob("HikariCP-*.jar")):
        run(*maven, f"-DoutputDirectory={_LIBRARIES}")
    run("javac", "-cp", f"{_LIBRARIES}/*", "-d", _LIBRARIES, _HERE / "src" / "Burst.java")


def bursts(target: DatabaseTarget, rounds: int) -> tuple[dict[int, dict[str, Burst]], str]:
    """Measure by queries a caller and by pool; also return why HikariCP was left out, or ""."""
    commands: dict[str, Command] = {OURS: _our_command}
    left_out = ""
    try:
        install_hikari()
        commands[HIKARI] = _hikari_command
    except NotInstalled as error:
        left_out = str(error)
    found: dict[int, dict[str, Burst]] = {}
    with Proxy(socket_path(target)) as proxy:
        tcp = by_tcp(target, proxy.port)
        for queries in QUERIES:
            found[queries] = {name: Burst() for name in commands}
            for _ in range(rounds):
                for name, command in commands.items():
                    address = tcp.conninfo if name == OURS else _jdbc_url(tcp)
                    _measure(proxy, command(CALLERS, queries), address, found[queries][name])
    return found, left_out


def _measure(proxy: Proxy, argv: list[str], address: str, burst: Burst) -> None:
    """Start the pool without a delay; the burst alone has one."""
    proxy.delay_s = 0.0
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(address + "\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{argv[0]} did not get ready")
        before, proxy.delay_s = proxy.connections, CONNECT_DELAY_S
        output, _ = process.communicate("go\n", timeout=TIMEOUT_S)
    burst.seconds.append(float(output))
    burst.opened.append(proxy.connections - before)


def _our_command(callers: int, queries: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.postgres.burst", str(callers), str(queries)]


def _hikari_command(callers: int, queries: int) -> list[str]:
    return ["java", "-cp", f"{_LIBRARIES}:{_LIBRARIES}/*", "Burst", str(callers), str(queries)]


def _jdbc_url(target: DatabaseTarget) -> str:
    parts = conninfo_to_dict(target.conninfo)
    return (
        f"jdbc:postgresql://{parts['host']}:{parts['port']}/{parts['dbname']}"
        f"?user={parts['user']}&password={parts['password']}&sslmode=disable"
    )
