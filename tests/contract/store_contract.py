"""What every backend of the repository promises; the test file of each backend asks it of its own `store`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stewardd.errors import Exhausted, LeaseLost, ObjectExists, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.catalog import Catalog
from stewardd.repository.claims import Answered, Claimed, Claims
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.liveness import Liveness
from stewardd.repository.publication import Publication, manifest_key, publish
from stewardd.repository.sweep import Sweep

from tests.support.documents import ANYTHING

pytestmark = pytest.mark.asyncio


async def keys(store: Store, prefix: str, start_after: str | None = None) -> list[str]:
    return [each.key async for each in store.list(prefix, start_after=start_after)]


async def test_an_object_reads_as_it_was_written(store: Store) -> None:
    await store.put("a/b.json", b"\x00body\xff")
    assert await store.get("a/b.json") == b"\x00body\xff"
    meta = await store.head("a/b.json")
    assert (meta.key, meta.size_bytes) == ("a/b.json", 6)
    assert meta.modified_at.utcoffset() is not None


async def test_many_objects_are_read_at_once_and_what_is_missing_is_nothing(store: Store) -> None:
    await store.put("many/a.json", b"first")
    await store.put("many/b/c.json", b"")
    keys = ["many/b/c.json", "many/none.json", "many/a.json", "none/at/all.json"]
    assert await store.get_many(keys) == [b"", None, b"first", None]
    assert await store.get_many([]) == []


async def test_objects_of_many_folders_are_read_in_the_order_of_their_keys(store: Store) -> None:
    there = ["o/a/1/x", "o/a/1/y", "o/a/2/x", "o/b/1/x", "o/b/1/2/3/x", "o/z"]
    for key in there:
        await store.put(key, key.encode())
    asked = [
        *("o/a/1/x", "o/a/2/x", "o/a/1/y", "o/a/3/x", "o/a/2/x", "o/c/1/x", "o/b/1/2/3/x"),
        *("o/b/1/x", "o/z", "o/z/x", "o/b", "o/a/1/x", "o/b/1/2/3/x", "o/b/1/2/y", "o/a/2/x"),
    ]
    expected = [key.encode() if key in there else None for key in asked]
    assert await store.get_many(asked) == expected
    assert await store.get_many(asked[::-1]) == expected[::-1]


async def test_an_empty_object_is_an_object(store: Store) -> None:
    await store.put("a/empty", b"")
    assert await store.get("a/empty") == b""
    assert [chunk async for chunk in store.read("a/empty")] == []
    assert (await store.head("a/empty")).size_bytes == 0


async def test_a_second_put_of_a_key_loses_and_changes_nothing(store: Store) -> None:
    await store.put("a/once", b"first")
    with pytest.raises(ObjectExists, match="a/once"):
        await store.put("a/once", b"second")
    assert await store.get("a/once") == b"first"


async def test_of_many_that_race_for_a_key_one_wins(store: Store) -> None:
    async def attempt(number: int) -> bool:
        try:
            await store.put("race/key", b"%d" % number)
        except ObjectExists:
            return False
        return True

    won = await asyncio.gather(*(attempt(number) for number in range(20)))
    assert won.count(True) == 1
    assert await store.get("race/key") == b"%d" % won.index(True)


async def test_an_overwrite_replaces_what_is_there(store: Store) -> None:
    await store.put("a/beat", b"1", overwrite=True)
    await store.put("a/beat", b"22", overwrite=True)
    assert await store.get("a/beat") == b"22"


async def test_what_is_missing_is_not_found_and_deleting_it_is_fine(store: Store) -> None:
    for call in (store.get("no/such"), store.head("no/such"), store.get_range("no/such", 0, 4)):
        with pytest.raises(ObjectNotFound, match="no/such"):
            await call
    with pytest.raises(ObjectNotFound):
        await anext(store.read("no/such"))
    await store.delete("no/such")
    assert await store.delete_prefix("no") == 0
    assert await keys(store, "no") == []
    assert await store.folders("no") == []


async def test_a_folder_is_no_object(store: Store) -> None:
    await store.put("a/b/c", b"x")
    with pytest.raises(ObjectNotFound):
        await store.get("a/b")
    with pytest.raises(ObjectNotFound):
        await store.head("a/b")


async def test_a_whole_read_is_bounded(store: Store) -> None:
    await store.put("a/big", b"x" * 1000)
    assert len(await store.get("a/big", max_bytes=1000)) == 1000
    with pytest.raises(Exhausted, match="1000 bytes"):
        await store.get("a/big", max_bytes=999)


async def test_a_range_ends_where_the_object_ends(store: Store) -> None:
    await store.put("a/range", b"0123456789")
    assert await store.get_range("a/range", 2, 3) == b"234"
    assert await store.get_range("a/range", 8, 100) == b"89"
    assert await store.get_range("a/range", 10, 5) == b""
    assert await store.get_range("a/range", 50, 5) == b""
    assert await store.get_range("a/range", 3, 0) == b""


async def test_a_read_comes_in_chunks_from_an_offset(store: Store) -> None:
    body = bytes(range(256)) * 20
    await store.put("a/read", body)
    chunks = [chunk async for chunk in store.read("a/read", offset=100, chunk_bytes=999)]
    assert b"".join(chunks) == body[100:]
    assert max(map(len, chunks)) <= 999
    assert [chunk async for chunk in store.read("a/read", offset=len(body))] == []


async def test_a_file_is_taken_whole(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "data.jsonl"
    body = b"".join(
        b"%09d\n" % number for number in range(1_200_000)
    )  # over two parts of a multipart upload
    source.write_bytes(body)
    await store.put_file("d/data.jsonl", source)
    source.unlink(missing_ok=True)
    assert (await store.head("d/data.jsonl")).size_bytes == len(body)
    assert await store.get_range("d/data.jsonl", 10_000_000, 10) == b"001000000\n"
    assert b"".join([chunk async for chunk in store.read("d/data.jsonl")]) == body


async def test_an_empty_file_is_taken_as_well(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    await store.put_file("d/empty", tmp_path / "empty")
    assert await store.get("d/empty") == b""


async def test_a_listing_is_sorted_by_key_across_folders(store: Store) -> None:
    names = ["k/a/x", "k/a.csv", "k/a-b", "k/a=1/y", "k/ab", "k/B", "k/a/w/v", "k/0", "ka/x", "k2"]
    for name in names:
        await store.put(name, b"")
    expected = sorted(name for name in names if name.startswith("k/"))
    assert await keys(store, "k") == expected
    assert await keys(store, "k/") == expected
    assert await keys(store, "") == sorted(names)
    assert await store.folders("k") == ["a", "a=1"]
    assert await store.folders("") == ["k", "ka"]


async def test_a_listing_starts_after_any_key(store: Store) -> None:
    names = sorted(["k/a/x", "k/a/y", "k/a.csv", "k/b/1", "k/b/2", "k/c"])
    for name in names:
        await store.put(name, b"")
    for start in [*names, "k/a", "k/a/xx", "k/b", "k/zz", "a", "l"]:
        assert await keys(store, "k", start) == [name for name in names if name > start], start


async def test_a_listing_is_longer_than_one_page(store: Store) -> None:
    names = [f"many/{number:04}" for number in range(1020)]  # of S3 a page holds 1000
    for start in range(0, len(names), 50):
        await asyncio.gather(*(store.put(name, b"") for name in names[start : start + 50]))
    assert await keys(store, "many") == names
    assert await store.delete_prefix("many") == 1020
    assert await keys(store, "many") == []


async def test_deleting_a_folder_spares_its_neighbours(store: Store) -> None:
    for name in ("p/q/1", "p/q/r/2", "p/qq/3", "p/q.txt"):
        await store.put(name, b"")
    assert await store.delete_prefix("p/q") == 2
    assert await keys(store, "p") == ["p/q.txt", "p/qq/3"]
    assert await store.delete_prefix("p/q") == 0


async def test_a_deleted_key_can_be_written_again(store: Store) -> None:
    await store.put("a/again", b"1")
    await store.delete("a/again")
    await store.put("a/again", b"2")
    assert await store.get("a/again") == b"2"


async def test_a_listing_starts_after_a_key_and_nothing_else(store: Store) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await keys(store, "k", "k/a/")


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "~tmp/a", "a b", "ä", "a\n", "x" * 201]
)
async def test_a_key_that_is_not_plain_is_a_bug(store: Store, key: str) -> None:
    with pytest.raises(ValueError):
        await store.put(key, b"")


async def test_the_root_is_never_deleted(store: Store) -> None:
    with pytest.raises(ValueError):
        await store.delete_prefix("")


async def test_a_probe_leaves_nothing(store: Store) -> None:
    await store.probe()
    assert await keys(store, "") == []


async def test_readers_of_an_overwritten_object_see_old_or_new_and_nothing_between(
    store: Store,
) -> None:
    bodies = [bytes([number]) * 5000 for number in range(20)]
    await store.put("a/flip", bodies[0])

    async def write() -> None:
        for body in bodies:
            await store.put("a/flip", body, overwrite=True)

    writer = asyncio.create_task(write())
    while not writer.done():
        assert await store.get("a/flip") in bodies
    await writer


async def test_a_daemon_publishes_claims_dies_and_is_swept_after(
    store: Store, tmp_path: Path
) -> None:
    first = await WriterLease.acquire(store, tmp_path / "data")
    published, dropped = uuid7(), uuid7()
    plan = {"resource": published, "manifest_key": manifest_key("batches", published)}
    assert isinstance(await Claims(store, first).claim("m", "id", "f", **plan), Claimed)
    async with publish(store, first, "batches", published) as draft:
        await store.put(draft.key("report.json"), b"{}")
        await draft.commit(ANYTHING.encode({"rows": 1}))
    left = Publication(store, first, "batches", dropped)
    await store.put(left.intent_key, b'{"action":"publish"}')
    await store.put(left.key("report.json"), b"{}")
    await first.close()

    second = await WriterLease.acquire(store, tmp_path / "data")
    assert await second.liveness(left.ref) is Liveness.DEAD
    assert abs((second.now() - datetime.now(UTC)).total_seconds()) < 5
    swept = await Sweep(store, second).run()
    assert [(each.kind, each.identifier) for each in swept] == [("batches", dropped)]
    page = await Catalog(store, "batches", ANYTHING).page(page_size=10)
    assert [(each.identifier, each.manifest) for each in page.entries] == [(published, {"rows": 1})]
    assert await Claims(store, second).claim("m", "id", "f") == Answered(published)
    with pytest.raises(LeaseLost):
        await left._commit(b"{}\n")
    await second.close()
