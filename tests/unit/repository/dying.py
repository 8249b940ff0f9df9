"""A process that writes to a repository and is killed on the way.

    python dying.py ROOT DATA_DIR STEP      publishes three batches, and dies at step STEP
    python dying.py ROOT DATA_DIR claim ID  claims a request, says whether it got it, and waits to be killed

A step is a call that alters a file system, as the interpreter's audit events report it right before it is made.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from stewardd import telemetry
from stewardd.errors import RequestInProgress
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.claims import Claimed, Claims
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import publish

ALTERING = {"os.link", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate"}
DATA = b"".join(b"row %d\n" % number for number in range(5000))


def die_at(step: int) -> None:
    steps = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal steps
        if event in ALTERING or (event == "open" and int(arguments[2]) & os.O_CREAT):  # type: ignore[call-overload]
            steps += 1
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


async def publish_three(root: Path, data_dir: Path, step: int) -> None:
    store = FolderStore(root)
    lease = await WriterLease.acquire(store, data_dir)
    staged = data_dir / "records.jsonl"
    if step:
        die_at(step)
    identifiers = [uuid7() for _ in range(3)]
    for identifier in identifiers:
        staged.write_bytes(DATA)
        async with publish(store, lease, "batches", identifier) as draft:
            await store.put(draft.key("report.json"), b"{}")
            await draft.put_file("records.jsonl", staged)
            staged.unlink()
            await draft.commit(b'{"rows":5000}\n')
        print(identifier, flush=True)  # whoever reads this was told that it exists
    await lease.close()


async def claim(root: Path, data_dir: Path, request_id: str) -> None:
    store = FolderStore(root)
    lease = await WriterLease.acquire(store, data_dir)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    try:
        outcome = await Claims(store, lease).claim("m", request_id, "f")
    except RequestInProgress:
        print("busy", flush=True)
    else:
        assert isinstance(outcome, Claimed)
        print(f"fresh {outcome.claim.number}", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    telemetry.configure("warning", "json")  # to stderr: stdout is for who started this
    where = (Path(sys.argv[1]), Path(sys.argv[2]))
    if sys.argv[3] == "claim":
        asyncio.run(claim(*where, sys.argv[4]))
    else:
        asyncio.run(publish_three(*where, int(sys.argv[3])))
