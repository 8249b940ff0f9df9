"""Puts the peers in place, each at a version that is written here, in environments of their own under build/.

What cannot be put in place is left out of the run, with the reason; nothing else fails for it.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.places import BUILD, PEERS

PYTHON_PEERS = {"duckdb": "2.0.0", "polars": "2.1.0"}
QSV_VERSION = "16.1.0"
QSV_TIMEOUT_S = 45 * 60
OTHER_TIMEOUT_S = 15 * 60

PYTHON = BUILD / "python" / "bin" / "python"
SIMD_CSV = BUILD / "simd-csv" / "release" / "simd-csv-peer"
QSV_LEFT_OUT = (
    "its build takes 20 minutes and more on two cores; `python -m benchmarks --qsv` does it"
)
QSV = BUILD / "qsv" / "bin" / "qsvdp"


Step = Callable[[], dict[str, str]]
"""Puts something in place, and returns the versions of what is there then. Raises NotInstalled."""


@dataclass(slots=True)
class Installed:
    """What is there: a version for each program, or the reason why it is not."""

    versions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class NotInstalled(Exception):
    """A peer cannot be put in place; the message is the reason."""


def run(*argv: str | Path, timeout_s: float = OTHER_TIMEOUT_S) -> str:
    """Run a command and return what it printed. Raises NotInstalled."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout_s)
    except FileNotFoundError as error:
        raise NotInstalled(f"{argv[0]} is not there") from error
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"not built within {timeout_s / 60:.0f} minutes") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no word why"]
        named = [line for line in said if line.lower().startswith(("error", "npm error"))]
        raise NotInstalled(f"{Path(argv[0]).name} failed: {(named or said)[0]}")
    return done.stdout.strip()


def install_python(peers: Mapping[str, str] = PYTHON_PEERS) -> dict[str, str]:
    """Put Python packages, at these versions, into the environment of the peers."""
    uv = Path(sys.executable).with_name("uv")
    if not PYTHON.exists():
        run(uv, "venv", "--quiet", "--python", sys.executable, PYTHON.parent.parent)
    pinned = [f"{name}=={version}" for name, version in peers.items()]
    run(uv, "pip", "install", "--quiet", "--python", PYTHON, *pinned)
    return dict(peers)


def install_node(folder: Path = PEERS / "zod") -> dict[str, str]:
    """Install what the package.json of a folder pins, without a lock file."""
    npm = ("npm", "--prefix", folder)
    run(*npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent")
    tree = json.loads(run(*npm, "ls", "--json", "--depth=0"))["dependencies"]
    named = {name: str(found["version"]) for name, found in tree.items()}
    return {"node": run("node", "--version").lstrip("v"), **named}


def install_rust(
    folder: Path = PEERS / "simd-csv",
    program: Path = SIMD_CSV,
    libraries: Sequence[str] = ("simd-csv", "jsonschema"),
    *,
    locked: bool = True,
) -> dict[str, str]:
    """Build a Rust program in the profile of the extension; return the versions of the libraries."""
    how = ("--locked",) if locked else ()
    crate = (*how, "--manifest-path", folder / "Cargo.toml")
    build = ("cargo", "build", "--quiet", "--release", *crate)
    run(*build, "--target-dir", program.parent.parent)
    tree = run("cargo", "tree", "--depth", "1", *crate)
    named = [line.split(" ")[1:3] for line in tree.splitlines()[1:]]
    versions = {name: version.lstrip("v") for name, version in named}
    return {
        "rustc": run("rustc", "--version").split()[1],
        **{name: versions[name] for name in libraries},
    }


def install_qsv() -> dict[str, str]:
    """Build qsv's variant for DataPusher+, unless it is there already.

    The lite variant would be smaller, but as published it does not compile: its `json` command calls a
    method of json-objects-to-csv that only a fork has, and what is published is built without the fork.
    """
    if not QSV.exists():
        run(
            *("cargo", "install", "qsv", "--version", QSV_VERSION, "--locked"),
            *("--no-default-features", "--features", "datapusher_plus,mimalloc", "--bin", "qsvdp"),
            *("--root", QSV.parent.parent, "--target-dir", BUILD / "qsv-target"),
            timeout_s=QSV_TIMEOUT_S,
        )
        shutil.rmtree(BUILD / "qsv-target", ignore_errors=True)
    return {"qsv": run(QSV, "--version").split()[1].split("-")[0]}


def install(*, with_peers: bool, with_qsv: bool) -> Installed:
    """Put every peer in place that can be, if peers are wanted at all; qsv only where it is asked for or there."""
    BUILD.mkdir(parents=True, exist_ok=True)
    installed = Installed()
    if not with_peers:
        return installed
    steps: dict[str, Step] = {
        "DuckDB and polars": install_python,
        "Zod": install_node,
        "simd-csv": install_rust,
        "qsv": install_qsv,
    }
    if not with_qsv and not QSV.exists():
        del steps["qsv"]
        installed.left_out["qsv"] = QSV_LEFT_OUT
    take(steps, installed)
    return installed


def take(steps: Mapping[str, Step], installed: Installed) -> None:
    """Take every step, and note the versions, or the reason why something is left out."""
    for name, step in steps.items():
        print(f"installing {name} …", flush=True)
        try:
            installed.versions |= step()
        except NotInstalled as error:
            installed.left_out[name] = str(error)
            print(f"  left out: {error}", flush=True)
