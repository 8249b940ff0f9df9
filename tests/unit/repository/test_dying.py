"""Writers in processes of their own, killed between any two steps, or racing: nothing half is ever there.

`make test` kills at a seeded sample of the steps, `make test-full` at every one.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.catalog import Catalog
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import FENCE
from stewardd.repository.sweep import Sweep

from tests.support.campaigns import FULL
from tests.support.documents import ANYTHING

from .dying import DATA

PROGRAM = Path(__file__).parent / "dying.py"
STEPS = (
    120  # about as many as the program takes; one past its end kills nothing, and is whole as well
)

Acquire = Callable[..., Awaitable[WriterLease]]


def start(root: Path, data_dir: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(root), str(data_dir), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def sampled_steps() -> list[int]:
    every = range(1, STEPS + 1)
    return list(every) if FULL else sorted(random.Random(20261123).sample(every, 14))


@pytest.mark.campaign
@pytest.mark.asyncio
@pytest.mark.parametrize("step", sampled_steps())
async def test_a_writer_killed_at_any_step_leaves_whole_things_or_none(
    step: int, tmp_path: Path, store: FolderStore, acquire: Acquire
) -> None:
    process = start(store.root, tmp_path / "data", str(step))
    told, _ = process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0)

    lease = await acquire("data")
    sweep = Sweep(store, lease)
    await sweep.run()
    await store.sweep_leftovers(0)
    assert os.listdir(store.root / "~tmp") == []

    catalog = Catalog(store, "batches", ANYTHING)
    there = {entry.identifier async for entry in catalog.newest_first()}
    for identifier in there:
        folder = f"batches/{lease.now():%Y-%m-%d}/{identifier}"
        assert await store.get(f"{folder}/records.jsonl") == DATA
        assert await store.get(f"{folder}/report.json") == b"{}"
    async for meta in store.list("batches"):
        folder, _, name = meta.key.rpartition("/")
        if folder.rpartition("/")[2] not in there:
            assert name == "manifest.json"
            assert await store.get(meta.key) == FENCE

    assert set(told.split()) <= there
    assert len(there) <= 3
    assert await sweep.run() == []


@pytest.mark.asyncio
async def test_of_two_processes_that_race_for_a_claim_one_gets_it_and_its_heir_is_the_next(
    tmp_path: Path, store: FolderStore, acquire: Acquire
) -> None:
    racers = {name: start(store.root, tmp_path / name, "claim", "id") for name in ("a", "b")}
    said = {}
    for racer in racers.values():
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers.values():
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for name, racer in racers.items():
        said[name] = racer.stdout.readline().strip()  # type: ignore[union-attr]
    assert sorted(said.values()) == ["busy", "fresh 1"]

    winner = next(name for name, words in said.items() if words == "fresh 1")
    for racer in racers.values():
        racer.kill()
        racer.communicate()
    heir = start(store.root, tmp_path / winner, "claim", "id")
    told, _ = heir.communicate("go\ngo\n")
    assert told.split("\n")[1] == "fresh 2"


def test_a_data_folder_is_free_when_its_process_was_killed(
    tmp_path: Path, store: FolderStore
) -> None:
    first = start(store.root, tmp_path / "data", "claim", "id")
    assert first.stdout is not None
    assert first.stdout.readline() == "ready\n"
    second = start(store.root, tmp_path / "data", "claim", "id")
    second.communicate("go\ngo\n")
    assert second.returncode == 1
    first.kill()
    first.communicate()
    third = start(store.root, tmp_path / "data", "claim", "id")
    told, _ = third.communicate("go\ngo\n")
    assert told == "ready\nfresh 1\n"
