"""Rows are found by interpolation, whatever their numbers and however long their lines."""

import asyncio
import random

import pytest
from stewardd.errors import Corrupt
from stewardd.quarantine.files.blocking_store import BlockingStore
from stewardd.quarantine.files.sorted_lines import SortedLines
from stewardd.repository.backend.folder.store import FolderStore

PREFIX = b'{"row":'


async def lines_of(tmp_path, body):
    store = FolderStore(tmp_path)
    await store.put("lines", body)
    return SortedLines(BlockingStore(store), "lines", len(body), PREFIX)


def made(numbers, rng, longest=400):
    return [b'{"row":%d,"x":"%s"}\n' % (n, b"y" * rng.randrange(longest)) for n in numbers]


@pytest.mark.parametrize("spread", [1, 3, 1000])
@pytest.mark.parametrize("count", [0, 1, 2, 5000])
async def test_every_row_is_found_and_none_that_is_not_there(tmp_path, count, spread):
    rng = random.Random(count + spread)
    numbers = sorted(rng.sample(range(1, count * spread + 2), count))
    lines = made(numbers, rng)
    begins = {n: len(b"".join(lines[:i])) for i, n in enumerate(numbers)} if count < 10 else None
    found = await lines_of(tmp_path, b"".join(lines))

    def look():
        wanted = sorted({*rng.sample(numbers, min(count, 60)), *range(1, 20), 10**9})
        by_number = dict(zip(numbers, lines, strict=True))
        selection = found.ascending_lookup()
        for number in wanted:
            assert selection.at(number) == by_number.get(number)
            offset = found.seek(number)
            first = next(found.read(offset), (found.size_bytes, None))
            following = [n for n in numbers if n >= number]
            assert first[1] == (by_number[following[0]] if following else None)
            if begins is not None and following:
                assert offset == begins[following[0]]

    await asyncio.to_thread(look)


async def test_lines_that_are_longer_than_what_is_read_at_once_are_found(tmp_path):
    rng = random.Random(1)
    lines = made(range(1, 40), rng, longest=600_000)
    found = await lines_of(tmp_path, b"".join(lines))

    def look():
        for number in range(1, 40):
            assert found.ascending_lookup().at(number) == lines[number - 1]

    await asyncio.to_thread(look)


async def test_a_needle_leaves_out_lines_unseen_and_misses_none(tmp_path):
    rng = random.Random(2)
    lines = made(range(1, 20_000), rng)
    for place in rng.sample(range(len(lines)), 30):
        lines[place] = lines[place].replace(b'"x"', b'"needle"')
    found = await lines_of(tmp_path, b"".join(lines))

    def look():
        seen = [line for _, line in found.read(needle=b'"needle"')]
        assert [line for line in seen if b'"needle"' in line] == [
            line for line in lines if b'"needle"' in line
        ]
        assert len(seen) < 100
        for offset, line in found.read(needle=b'"needle"'):
            assert next(found.read(offset))[1] == line

    await asyncio.to_thread(look)


@pytest.mark.parametrize("body", [b'{"row":1,"x":1}\n{"row":2', b"nonsense\n", b'{"row":x,}\n'])
async def test_what_is_cut_or_no_such_file_is_corrupt(tmp_path, body):
    found = await lines_of(tmp_path, body)

    def look():
        for _, line in found.read():
            found.number_of(line)

    with pytest.raises(Corrupt):
        await asyncio.to_thread(look)
