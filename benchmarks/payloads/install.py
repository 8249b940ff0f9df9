"""Puts the peers of payloads in place, each at a version that is written down, and builds the programs in Rust."""

import shutil

from benchmarks.install import Installed, Step, install_node, install_python, install_rust, take
from benchmarks.payloads.contestants import (
    ENGINE_CRATE,
    ENGINE_PROGRAM,
    JSONSCHEMA_CRATE,
    JSONSCHEMA_PROGRAM,
    NODE,
    PYTHON_PEERS,
)
from benchmarks.places import BUILD, ROOT


def install_engine() -> dict[str, str]:
    """Build the program that links the engine, of the same crates as the extension."""
    shutil.copy(ROOT / "fastcsv" / "Cargo.lock", ENGINE_CRATE / "Cargo.lock")
    found = install_rust(ENGINE_CRATE, ENGINE_PROGRAM, ("fastcsv",), locked=False)
    return {"rustc": found["rustc"], "payload-engine": found["fastcsv"]}


def install_jsonschema() -> dict[str, str]:
    """Build the program of the jsonschema crate."""
    libraries = ("jsonschema", "serde_json", "sonic-rs")
    return install_rust(JSONSCHEMA_CRATE, JSONSCHEMA_PROGRAM, libraries)


def install(*, with_peers: bool) -> Installed:
    """Put every contestant in place that can be, if peers are wanted at all."""
    BUILD.mkdir(parents=True, exist_ok=True)
    installed = Installed()
    steps: dict[str, Step] = {
        "steward's engine": install_engine,
        "serde_json, sonic-rs and jsonschema": install_jsonschema,
        "orjson, jsonschema-rs and msgspec": lambda: install_python(PYTHON_PEERS),
        "Ajv and Zod": lambda: install_node(NODE),
    }
    if with_peers:
        take(steps, installed)
    return installed
