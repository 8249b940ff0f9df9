"""What only the local backend can get wrong: modes, symbolic links, full disks, what a crash leaves."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from stewardd.errors import (
    ConfigurationError,
    Exhausted,
    ObjectExists,
    ObjectNotFound,
    RepositoryDown,
    StorageFull,
)
from stewardd.repository.backend.all import open_store
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.backend.store import MAX_WHOLE_BYTES

pytestmark = pytest.mark.asyncio

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = shutil.which("mount") is not None and IS_ROOT
    if mounted:
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("a small file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_folders_and_files_are_for_their_owner_alone(
    store: FolderStore, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    source.chmod(0o644)
    await store.put("a/b/put", b"x")
    await store.put_file("a/b/file", source)
    for path in (store.root, *store.root.rglob("*")):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.lstat().st_mode) == expected, path


async def test_no_symbolic_link_below_the_root_is_followed(
    store: FolderStore, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    await store.put("a/real", b"real")
    (store.root / "a" / "folder").symlink_to(outside)
    (store.root / "a" / "file").symlink_to(outside / "secret")
    (store.root / "a" / "dangling").symlink_to(outside / "new")
    for key in ("a/folder/secret", "a/file"):
        with pytest.raises((ObjectNotFound, RepositoryDown)):
            await store.get(key)
        with pytest.raises((ObjectNotFound, RepositoryDown)):
            await store.head(key)
    with pytest.raises(RepositoryDown):
        await store.put("a/folder/planted", b"x")
    with pytest.raises(ObjectExists):
        await store.put("a/dangling", b"x")
    await store.put("a/dangling", b"x", overwrite=True)  # replaces the link itself
    assert [each.key async for each in store.list("a")] == ["a/dangling", "a/real"]
    assert await store.folders("a") == []
    assert await store.delete_prefix("a") == 4
    assert sorted(outside.iterdir()) == [outside / "secret"]
    assert (outside / "secret").read_bytes() == b"secret"


async def test_of_many_objects_what_is_no_file_is_nothing_and_no_link_is_followed(
    store: FolderStore, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "day").mkdir(parents=True)
    (outside / "day" / "secret").write_bytes(b"secret")
    await store.put("a/day/real", b"real")
    (store.root / "a" / "folder").symlink_to(outside / "day")
    (store.root / "b").symlink_to(outside)
    os.mkfifo(store.root / "a" / "day" / "pipe")
    (store.root / "a" / "day" / "empty").mkdir()
    strange = ["a/folder/secret", "b/day/secret", "a/day/pipe", "a/day/empty", "a/day/real/below"]
    for key in strange:
        asked = ["a/day/real", key, "a/day/real"]
        assert await store.get_many(asked) == [b"real", None, b"real"], key
    (store.root / "a" / "day" / "file").symlink_to(outside / "day" / "secret")
    with pytest.raises(RepositoryDown, match="a/day/file"):
        await store.get_many(["a/day/real", "a/day/file"])


async def test_of_many_objects_one_that_is_too_large_is_named(store: FolderStore) -> None:
    await store.put("a/small", b"x")
    await store.put("a/large", b"")
    os.truncate(store.root / "a" / "large", MAX_WHOLE_BYTES + 1)
    with pytest.raises(Exhausted, match="a/large has 67108865 bytes"):
        await store.get_many(["a/small", "a/large"])


async def test_a_root_that_is_reached_by_a_symbolic_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = open_store(str(tmp_path / "link"))
    await store.put("a/b", b"x")
    assert (tmp_path / "real" / "a" / "b").read_bytes() == b"x"
    assert store.url == (tmp_path / "real").as_uri()


async def test_a_full_disk_says_so_and_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    store = FolderStore(small_disk / "repository")
    await store.put("a/fits", b"x" * 500_000)
    with pytest.raises(StorageFull, match="a/too-much"):
        await store.put("a/too-much", b"x" * 900_000)
    source = tmp_path / "source"  # on another file system, so it is copied
    source.write_bytes(b"x" * 900_000)
    with pytest.raises(StorageFull, match="a/copy"):
        await store.put_file("a/copy", source)
    assert [each.key async for each in store.list("")] == ["a/fits"]
    assert os.listdir(store.root / "~tmp") == []
    assert source.exists()
    free = await store.free_bytes()
    assert free is not None
    assert free < 600_000
    await store.delete("a/fits")
    await store.put("a/too-much", b"x" * 900_000)


async def test_a_file_of_another_file_system_is_copied(small_disk: Path, tmp_path: Path) -> None:
    store = FolderStore(small_disk / "repository")
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10_000)
    await store.put_file("a/copy", source)
    assert await store.get("a/copy") == b"x" * 10_000
    assert source.stat().st_nlink == 1
    with pytest.raises(ObjectExists):
        await store.put_file("a/copy", source)


async def test_a_file_of_our_own_is_linked_and_not_copied(
    store: FolderStore, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10_000)
    await store.put_file("a/link", source)
    assert source.stat().st_ino == (store.root / "a" / "link").stat().st_ino
    with pytest.raises(ObjectExists):
        await store.put_file("a/link", source)


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a file away")
async def test_a_file_of_another_user_is_copied_and_then_ours(
    store: FolderStore, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    os.chown(source, 12345, 12345)
    await store.put_file("a/copy", source)
    assert (store.root / "a" / "copy").stat().st_uid == os.geteuid()
    assert source.stat().st_uid == 12345


async def test_a_file_that_is_none_is_the_callers_mistake(
    store: FolderStore, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for path in (tmp_path / "nothing", tmp_path / "pipe", tmp_path / "link", tmp_path):
        with pytest.raises(OSError, match=r"\S") as caught:
            await store.put_file("a/b", path)
        assert not isinstance(caught.value, RepositoryDown)


async def test_what_dead_writers_left_is_swept_and_what_live_ones_write_is_not(
    store: FolderStore,
) -> None:
    temporary = store.root / "~tmp"
    (temporary / "dead~").write_bytes(b"half")
    (temporary / "young~").write_bytes(b"half")
    (temporary / "alive~").write_bytes(b"half")
    for name in ("dead~", "alive~"):
        os.utime(temporary / name, (0, 0))
    with (temporary / "alive~").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert await store.sweep_leftovers(60) == 1
        assert sorted(os.listdir(temporary)) == ["alive~", "young~"]
    assert await store.sweep_leftovers(60) == 1


async def test_a_repository_that_is_gone_is_down_and_not_empty(store: FolderStore) -> None:
    await store.put("a/b", b"x")
    away = store.root.with_name("away")
    store.root.rename(away)
    store.root.mkdir()  # as a mount point is, when nothing is mounted on it
    for call in (
        store.get("a/b"),
        store.get_many(["a/b"]),
        store.put("a/c", b""),
        store.folders("a"),
        store.delete("a/b"),
        store.head("a/b"),
        store.probe(),
    ):
        with pytest.raises(RepositoryDown, match="gone, or not mounted"):
            await call
    with pytest.raises(RepositoryDown):
        await anext(store.list(""))
    assert os.listdir(store.root) == []
    store.root.rmdir()
    away.rename(store.root)
    assert await store.get("a/b") == b"x"


async def test_folders_that_empty_are_removed_and_the_root_stays(store: FolderStore) -> None:
    await store.put("a/b/c/d", b"x")
    await store.put("a/e", b"x")
    await store.delete("a/b/c/d")
    assert sorted(os.listdir(store.root / "a")) == ["e"]
    await store.put("f/g/h", b"x")
    await store.delete_prefix("f/g")
    await store.delete("a/e")
    assert os.listdir(store.root) == ["~tmp"]


async def test_a_folder_that_is_removed_underfoot_is_made_anew(store: FolderStore) -> None:
    async def write() -> None:
        for _ in range(60):
            await store.put("x/y/z", b"x", overwrite=True)

    async def remove() -> None:
        for _ in range(60):
            await store.delete_prefix("x/y")
            await store.delete("x/y/z")

    await asyncio.gather(write(), write(), remove(), remove())
    await store.put("x/y/z", b"last", overwrite=True)
    assert await store.get("x/y/z") == b"last"


async def test_a_cancelled_put_has_ended_when_it_says_so(store: FolderStore) -> None:
    for number in range(20):
        key = f"a/{number}"
        task = asyncio.create_task(store.put(key, b"x" * 100_000))
        await asyncio.sleep(0.0005 * number)
        task.cancel()
        await asyncio.wait([task])
        before = [each.key async for each in store.list("a")]
        await asyncio.sleep(0.02)
        assert [each.key async for each in store.list("a")] == before
        assert os.listdir(store.root / "~tmp") == []


async def test_the_event_loop_turns_while_a_file_is_written(store: FolderStore) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    turning = asyncio.create_task(turn())
    for number in range(5):
        before = turns
        await store.put(f"a/{number}", b"x" * 30_000_000)
        assert turns > before
    turning.cancel()


async def test_a_small_write_does_not_queue_behind_large_files(
    store: FolderStore, tmp_path: Path
) -> None:
    files = [tmp_path / f"slow{number}" for number in range(16)]
    for file in files:
        file.write_bytes(b"x")
    hold = threading.Event()
    put_file = store._tree.put_file

    def slow(segments: list[str], path: Path) -> None:
        hold.wait(30)
        put_file(segments, path)

    store._tree.put_file = slow  # type: ignore[method-assign, assignment]
    large = [asyncio.create_task(store.put_file(f"a/{file.name}", file)) for file in files]
    async with asyncio.timeout(5):
        await store.put("a/heartbeat", b"x", overwrite=True)
        await store.head("a/heartbeat")
    assert not any(task.done() for task in large)
    hold.set()
    await asyncio.gather(*large)


async def test_no_descriptor_is_left_open(store: FolderStore) -> None:
    async def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    await store.put("a/b/c", b"x" * 10_000)
    before = await descriptors()
    for _ in range(20):
        await store.get("a/b/c")
        await store.get_range("a/b/c", 1, 2)
        await store.get_many(["a/b/c", "no/such", "a/b", "a/b/c/d", "a/b/c"])
        (store.root / "a" / "loop").symlink_to("loop")
        with pytest.raises(RepositoryDown):
            await store.get_many(["a/b/c", "a/loop"])
        (store.root / "a" / "loop").unlink()
        await anext(store.read("a/b/c", chunk_bytes=10))
        await anext(store.list(""))
        for key in ("no/such", "a/b"):
            with pytest.raises(ObjectNotFound):
                await store.get(key)
        with pytest.raises(ObjectExists):
            await store.put("a/b/c", b"")
        task = asyncio.create_task(store.get("a/b/c"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    for _ in range(100):
        if await descriptors() <= before:
            break
        await asyncio.sleep(0.01)
    assert await descriptors() <= before


async def test_an_error_of_the_disk_names_the_key(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RepositoryDown, match="a/b: Input/output error"):
        await store.put("a/b", b"x")


@pytest.mark.parametrize(
    "url", ["", "http://host/x", "ftp://x", "file://host/path", "file:relative", "s3x://b"]
)
async def test_a_url_that_names_no_repository_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_store(url)


async def test_a_file_url_and_its_path_are_the_same_repository(tmp_path: Path) -> None:
    await open_store(str(tmp_path / "with space")).put("a/b", b"x")
    assert await open_store((tmp_path / "with space").as_uri()).get("a/b") == b"x"


async def test_a_root_that_cannot_be_made_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RepositoryDown):
        open_store(str(tmp_path / "file" / "below"))
