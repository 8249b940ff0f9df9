"""A purge that is killed at any moment leaves each backup whole or gone, and the next one ends what it had begun."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from stewardd.backup.states import ROOT
from stewardd.repository.backend.folder.store import FolderStore

from tests.support.backups import NOW, Keeper
from tests.support.campaigns import FULL

pytestmark = pytest.mark.asyncio

PROGRAM = Path(__file__).parent / "purging.py"
HERE = Path(__file__).resolve().parents[3]


def begin(root: Path) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(root)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


async def check_whole(keeper: Keeper, young: list[str]) -> int:
    """Every backup that exists has all of its data, and all young ones exist; returns how many exist."""
    there: dict[str, set[str]] = {}
    for key in await keeper.keys():
        _, _, backup_id, name = key.split("/")
        there.setdefault(backup_id, set()).add(name)
    whole = {each for each, names in there.items() if "manifest.json" in names}
    for each in whole:
        assert len(there[each]) == 3, each
    assert whole.issuperset(young)
    return len(whole)


@pytest.mark.campaign
async def test_kill_9_at_any_moment(tmp_path: Path) -> None:
    kills = 30 if FULL else 5
    root = tmp_path / "repository"
    keeper = Keeper(FolderStore(root))
    chance = random.Random(20261130)
    young = await keeper.store_daily(7)
    for number in range(60):
        await keeper.store_backup(NOW - timedelta(days=8 + number))
    left = 67
    for _ in range(kills):
        process = begin(root)
        time.sleep(chance.uniform(0, 0.25))
        process.kill()
        process.communicate()
        found = await check_whole(Keeper(FolderStore(root)), young)
        assert found <= left
        left = found
    process = begin(root)
    process.communicate()
    assert process.returncode == 0
    assert await check_whole(Keeper(FolderStore(root)), young) <= 7
    assert len(await keeper.keys()) == 3 * 7
    assert await keeper.keys(ROOT) == []
