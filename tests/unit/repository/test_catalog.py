"""Pages are newest first, fit together whatever is published meanwhile, and cost only the days that they need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from stewardd.errors import Corrupt, InvalidRequest, ObjectNotFound
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.catalog import Catalog, Entry
from stewardd.repository.document import Codec, Count
from stewardd.repository.identifiers import day_of, uuid7
from stewardd.repository.publication import fence, manifest_key

from tests.support.documents import ANYTHING

pytestmark = pytest.mark.asyncio

T = TypeVar("T")
DAY_S = 86_400
BEGIN_S = 1_795_392_000  # 2026-11-23


@dataclass(frozen=True)
class Rows:
    rows: Count = 0


ROWS = Codec(Rows)


class Counting(FolderStore):
    """A store that keeps which folders were listed and how much was read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.listed: list[str] = []
        self.read_keys: list[str] = []

    async def folders(self, prefix: str) -> list[str]:
        self.listed.append(prefix)
        return await super().folders(prefix)

    async def get(self, key: str, *, max_bytes: int = 1 << 20) -> bytes:
        self.read_keys.append(key)
        return await super().get(key, max_bytes=max_bytes)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        self.read_keys += keys
        return await super().get_many(keys)


@pytest.fixture
def counting(tmp_path: Path) -> Counting:
    return Counting(tmp_path / "repository")


async def make(store: FolderStore, at_s: float, **manifest: Any) -> str:
    identifier = uuid7(lambda: at_s)
    await store.put(manifest_key("batches", identifier), ANYTHING.encode(manifest))
    return identifier


async def pages(
    catalog: Catalog[T], page_size: int, **options: Any
) -> AsyncIterator[list[Entry[T]]]:
    token = ""
    while True:
        page = await catalog.page(page_size=page_size, page_token=token, **options)
        yield page.entries
        token = page.next_page_token
        if not token:
            return


async def test_pages_are_newest_first_across_days(store: FolderStore) -> None:
    made = [await make(store, BEGIN_S + number * DAY_S / 4) for number in range(11)]
    catalog = Catalog(store, "batches", ANYTHING)
    for page_size in (1, 3, 4, 11, 50):
        found = [page async for page in pages(catalog, page_size)]
        assert [each.identifier for page in found for each in page] == made[::-1]
        assert all(len(page) == page_size for page in found[:-1])
        assert found[-1] != []


async def test_what_is_published_meanwhile_neither_shifts_nor_doubles_a_page(
    store: FolderStore,
) -> None:
    made = [await make(store, BEGIN_S + number) for number in range(6)]
    catalog = Catalog(store, "batches", ANYTHING)
    first = await catalog.page(page_size=3)
    await make(store, BEGIN_S + 100)
    await make(store, BEGIN_S + DAY_S)
    second = await catalog.page(page_size=3, page_token=first.next_page_token)
    found = [each.identifier for each in (*first.entries, *second.entries)]
    assert found == made[::-1]
    assert second.next_page_token == ""


async def test_a_page_reads_only_the_days_and_the_manifests_that_it_needs(
    counting: Counting,
) -> None:
    made = [await make(counting, BEGIN_S + number * DAY_S) for number in range(30)]
    many = [await make(counting, BEGIN_S + 29 * DAY_S + number) for number in range(1, 200)]
    catalog = Catalog(counting, "batches", ANYTHING)
    page = await catalog.page(page_size=10)
    assert [each.identifier for each in page.entries] == sorted([*many, made[-1]])[:-11:-1]
    assert counting.listed == ["batches", f"batches/{day_of(made[-1])}"]
    assert len(counting.read_keys) <= 32
    counting.listed.clear()
    token = page.next_page_token
    while token:
        page = await catalog.page(page_size=100, page_token=token)
        token = page.next_page_token
    counting.listed.clear()
    page = await catalog.page(page_size=10)
    assert len(counting.listed) == 2


async def test_all_identifiers_come_newest_first_and_the_newest_cost_no_more_than_their_days(
    counting: Counting,
) -> None:
    made = [await make(counting, BEGIN_S + number * DAY_S / 2) for number in range(100)]
    await counting.put(f"batches/{day_of(made[50])}/no-id/manifest.json", b"{}")
    catalog = Catalog(counting, "batches", ANYTHING)
    assert [each async for each in catalog.identifiers()] == made[::-1]
    assert len(counting.listed) == len(set(counting.listed)) == 51
    counting.listed.clear()
    async with aclosing(catalog.identifiers()) as found:
        assert [await anext(found) for _ in range(2)] == made[:-3:-1]
    assert counting.listed == ["batches", f"batches/{day_of(made[-1])}"]
    assert counting.read_keys == []
    assert [each async for each in Catalog(counting, "none", ANYTHING).identifiers()] == []


async def test_what_has_no_manifest_or_a_fence_does_not_exist(store: FolderStore) -> None:
    there = await make(store, BEGIN_S)
    drafted, fenced = uuid7(lambda: BEGIN_S + 1), uuid7(lambda: BEGIN_S + 2)
    await store.put(f"batches/{day_of(drafted)}/{drafted}/records.jsonl", b"x")
    await fence(store, manifest_key("batches", fenced))
    await store.put(f"batches/{day_of(drafted)}/no-id/manifest.json", b"{}")
    catalog = Catalog(store, "batches", ANYTHING)
    assert [each.identifier for each in (await catalog.page(page_size=10)).entries] == [there]
    for identifier in (drafted, fenced):
        with pytest.raises(ObjectNotFound):
            await catalog.get(identifier)
    with pytest.raises(InvalidRequest):
        await catalog.get("../../../etc/passwd")


async def test_a_filter_skips_and_a_page_that_looks_long_enough_ends_short(
    store: FolderStore,
) -> None:
    made = [await make(store, BEGIN_S + number, number=number) for number in range(50)]
    catalog = Catalog(store, "batches", ANYTHING)
    options: dict[str, Any] = {
        "accept": lambda entry: entry.manifest["number"] % 10 == 0,
        "scope": {"number": "tens"},
    }
    found = [page async for page in pages(catalog, 2, **options)]
    assert [each.identifier for page in found for each in page] == made[::10][::-1]
    short = [page async for page in pages(catalog, 2, max_scanned=7, **options)]
    assert [each for page in short for each in page] == [each for page in found for each in page]
    assert max(map(len, short)) == 1


async def test_a_token_is_good_for_its_own_listing_only(store: FolderStore) -> None:
    for number in range(3):
        await make(store, BEGIN_S + number)
    catalog = Catalog(store, "batches", ANYTHING)
    token = (await catalog.page(page_size=1, scope={"type": "a"})).next_page_token
    for other in ({"type": "b"}, None):
        with pytest.raises(InvalidRequest, match="another listing"):
            await catalog.page(page_size=1, page_token=token, scope=other)
    with pytest.raises(InvalidRequest, match="another listing"):
        await Catalog(store, "backups", ANYTHING).page(
            page_size=1, page_token=token, scope={"type": "a"}
        )
    for nonsense in ("x", "====", "ä", token[:-4], "Li4vLi4v"):
        with pytest.raises(InvalidRequest, match="page token") as caught:
            await catalog.page(page_size=1, page_token=nonsense, scope={"type": "a"})
        assert caught.value.field == "page_token"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"null", b'{"rows":"x"}'])
async def test_what_cannot_be_read_hides_nothing_else(store: FolderStore, body: bytes) -> None:
    made = [await make(store, BEGIN_S + number) for number in range(3)]
    await store.put(manifest_key("batches", made[1]), body, overwrite=True)
    catalog = Catalog(store, "batches", ROWS)
    found = [page async for page in pages(catalog, 1)]
    assert [each.identifier for page in found for each in page] == [made[2], made[0]]


async def test_who_asks_for_what_cannot_be_read_is_told(store: FolderStore) -> None:
    identifier = uuid7(lambda: BEGIN_S)
    for body in (b"{", b"[]", b"\xff", b"null"):
        await store.put(manifest_key("batches", identifier), body, overwrite=True)
        with pytest.raises(Corrupt, match=identifier):
            await Catalog(store, "batches", ANYTHING).get(identifier)


async def test_a_manifest_under_the_key_of_another_thing_is_corrupt(store: FolderStore) -> None:
    ours, others = uuid7(lambda: BEGIN_S), uuid7(lambda: BEGIN_S)
    await store.put(manifest_key("batches", ours), ANYTHING.encode({"id": others}))
    catalog = Catalog(store, "batches", ANYTHING, id_of=lambda manifest: str(manifest["id"]))
    with pytest.raises(Corrupt, match=f"{ours}.*another thing"):
        await catalog.get(ours)
    assert (await catalog.page(page_size=10)).entries == []


async def test_an_empty_repository_has_one_empty_page(store: FolderStore) -> None:
    page = await Catalog(store, "batches", ANYTHING).page(page_size=10)
    assert (page.entries, page.next_page_token) == ([], "")


async def test_a_prefix_leaves_what_begins_so_and_reads_nothing_else(counting: Counting) -> None:
    made = [await make(counting, BEGIN_S + number * DAY_S) for number in range(10)]
    near = [await make(counting, BEGIN_S + 4 * DAY_S + number / 10) for number in range(1, 300)]
    catalog = Catalog(counting, "batches", ANYTHING)
    counting.listed.clear()
    wanted = near[200]
    page = await catalog.page(page_size=10, id_prefix=wanted[:13])
    assert [each.identifier for each in page.entries] == [wanted]
    assert counting.listed == ["batches", f"batches/{day_of(wanted)}"]
    assert len(counting.read_keys) == 1
    found = [page async for page in pages(catalog, 7, id_prefix=wanted[:7])]
    fitting = [each for each in [*made, *near] if each.startswith(wanted[:7])]
    assert [each.identifier for page in found for each in page] == sorted(fitting, reverse=True)
    assert (await catalog.page(page_size=10, id_prefix=made[0])).entries[0].identifier == made[0]
    assert len((await catalog.page(page_size=50, id_prefix="0")).entries) == 50
    for none in ("f" * 8, "00000000-0", f"{wanted[:-1]}{'1' if wanted[-1] == '0' else '0'}"):
        assert (await catalog.page(page_size=10, id_prefix=none)).entries == []


async def test_a_prefix_that_no_id_has_is_refused_and_a_token_belongs_to_its_prefix(
    store: FolderStore,
) -> None:
    made = [await make(store, BEGIN_S + number) for number in range(3)]
    catalog = Catalog(store, "batches", ANYTHING)
    for wrong in ("xyz", "019A", "0193e5c87d2a", "../..", f"{made[0]}0"):
        with pytest.raises(InvalidRequest, match="id_prefix"):
            await catalog.page(page_size=1, id_prefix=wrong)
    page = await catalog.page(page_size=1, id_prefix=made[0][:4])
    assert page.next_page_token
    with pytest.raises(InvalidRequest, match="another listing"):
        await catalog.page(page_size=1, page_token=page.next_page_token)
