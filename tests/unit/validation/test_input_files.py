"""Files read by their URI: what a cancelled call leaves open."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stewardd.repository.input_files import InputRoots, LocalInputFile


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class Late(ThreadPoolExecutor):
    """Begins its work at once, and comes to it when it is told."""

    def __init__(self) -> None:
        super().__init__(1)
        self.go_on = threading.Event()

    def submit(self, fn: Any, /, *arguments: Any, **named: Any) -> Any:
        def late() -> Any:
            self.go_on.wait(30)
            return fn(*arguments, **named)

        return super().submit(late)


async def test_a_call_that_is_cancelled_while_its_file_is_opened_leaves_none_open(tmp_path):
    (tmp_path / "some.csv").write_text("a\n")
    with Late() as executor:
        before = open_files()
        opening = asyncio.create_task(
            InputRoots((tmp_path,)).open(f"file://{tmp_path}/some.csv", executor)
        )
        await asyncio.sleep(0.05)
        opening.cancel()
        await asyncio.wait([opening])
        executor.go_on.set()
        await asyncio.get_running_loop().run_in_executor(executor, int)
        await asyncio.sleep(0.05)
        assert open_files() == before


async def test_a_file_is_not_closed_under_the_thread_that_reads_it():
    """Its descriptor would be somebody else's by then, and the read would take what is theirs."""
    reading, writing = os.pipe()
    with ThreadPoolExecutor(1) as executor:
        source = LocalInputFile(reading, executor)

        async def read() -> None:
            async for _ in source.chunks():
                pass

        task = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        closing = asyncio.create_task(source.close())
        await asyncio.sleep(0.05)
        os.fstat(reading)  # still open: the thread is still in it
        os.write(writing, b"x")
        await closing
        os.close(writing)
    assert not os.path.exists(f"/proc/self/fd/{reading}")  # noqa: PTH110  # a descriptor, not a file
