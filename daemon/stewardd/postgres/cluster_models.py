"""New clusters to be copied: initdb makes one for each installation, and takes ten times as long as a copy of it.

A model lasts as long as its daemon: nothing of it is synced to the disk, so that none outlives a crash. No server ever
runs on one. Where the server's account is lent it can read the model and not write it: what ran as the superuser of
one scratch server must change nothing on later ones.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from stewardd.postgres.accounts import Account
from stewardd.postgres.binaries import Binaries, hand_to_group
from stewardd.postgres.cluster import Cluster

_PREFIX = "scratch-model-"
_Key = tuple[Path, str, str]


class ClusterModels:
    """The models in a folder. Use it on one thread at a time."""

    def __init__(self, folder: Path, called: str) -> None:
        self._folder = folder
        self._called = called
        self._models: dict[_Key, Cluster] = {}

    def model_of(self, binaries: Binaries, account: Account) -> Cluster:
        """The model of an installation, made at the first call. Blocks. Raises ToolFailed, StorageFull."""
        key = (binaries.folder, binaries.version, account.name)
        model = self._models.get(key)
        if model is None or not model.data.is_dir():
            model = self._models[key] = self._make(binaries, account)
        return model

    def sweep(self) -> None:
        """Removes what a dead daemon left. Blocks."""
        for left in self._folder.glob(f"{_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)

    def close(self) -> None:
        """Removes the models. Blocks."""
        for model in self._models.values():
            shutil.rmtree(model.root, ignore_errors=True)
        self._models.clear()

    def _make(self, binaries: Binaries, account: Account) -> Cluster:
        root = self._folder / f"{_PREFIX}{secrets.token_hex(6)}"
        model = Cluster(root, account, self._called, is_kept=False)
        try:
            model.prepare()
            model.initialise(binaries)
            if account.lent:
                hand_to_group(model.data, account.gid)
        except BaseException:
            shutil.rmtree(root, ignore_errors=True)
            raise
        return model
