"""What every bucket promises beyond the store's contract; the test file of each cloud asks it of its own `cloud`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from stewardd.errors import ConfigurationError, RepositoryDown, RepositoryRefused
from stewardd.repository.backend.all import open_repository, open_store
from stewardd.repository.backend.store import Store

from tests.support.clouds.cloud import Cloud
from tests.support.proxy import Proxy
from tests.support.storage import altered

# Of a client that waits no longer than a test may.
IMPATIENT = {"timeout": "500ms", "connect_timeout": "500ms", "max_retries": "1"}


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    return cloud.make_bucket()


@pytest.fixture
def store(cloud: Cloud, bucket: str) -> Store:
    return open_store(f"{bucket}/a/prefix", cloud.options)


@pytest.fixture
def network(cloud: Cloud) -> Iterator[Proxy]:
    """The way to the cloud, which may fail."""
    with Proxy(urlsplit(cloud.endpoint).netloc) as proxy:
        yield proxy


async def listed(store: Store) -> list[str]:
    return [each.key async for each in store.list("")]


async def test_a_prefix_is_all_that_a_store_sees(cloud: Cloud, bucket: str, store: Store) -> None:
    around = open_store(bucket, cloud.options)
    await around.put("a/other", b"x")
    await store.put("k", b"y")
    assert await listed(store) == ["k"]
    assert await listed(around) == ["a/other", "a/prefix/k"]


async def test_a_bucket_that_keeps_everything_is_taken_and_nothing_is_left_in_it(
    cloud: Cloud, bucket: str
) -> None:
    opening = (open_repository(f"{bucket}/a/prefix", cloud.options) for _ in range(4))
    opened = await asyncio.gather(*opening)
    assert await listed(opened[0]) == []


async def test_a_bucket_that_overwrites_what_was_to_be_created_once_is_refused_at_start(
    cloud: Cloud, bucket: str
) -> None:
    """The condition is lost on the way, and the real server behind takes the second put for an ordinary one."""
    with altered(cloud) as lying:
        lying.dropped = {cloud.condition}
        with pytest.raises(ConfigurationError, match="create-once") as caught:
            await open_repository(f"{bucket}/a/prefix", lying.options)
    assert f"{bucket}/a/prefix" in caught.value.message
    assert await listed(open_store(bucket, cloud.options)) == []


async def test_wrong_credentials_are_named_at_start(cloud: Cloud, bucket: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await open_repository(f"{bucket}/a/prefix", cloud.wrong)
    assert f"{bucket}/a/prefix" in caught.value.message
    assert "check the credentials" in caught.value.hint
    assert cloud.secret not in repr(caught.value)


async def test_a_bucket_that_is_not_there_is_named_and_tells_no_secret(cloud: Cloud) -> None:
    nowhere = f"{cloud.scheme}://no-such-bucket/x"
    with pytest.raises(ConfigurationError) as caught:
        await open_repository(nowhere, cloud.options)
    assert f"there is no bucket at {nowhere}" in caught.value.message
    assert cloud.secret not in repr(caught.value)
    with pytest.raises(RepositoryRefused):
        await open_store(nowhere, cloud.options).probe()


async def test_a_bucket_that_is_away_is_down_and_serves_again_when_it_is_back(
    cloud: Cloud, bucket: str, network: Proxy
) -> None:
    options = {**cloud.through(f"http://{network.address}"), **IMPATIENT}
    store = await open_repository(f"{bucket}/a/prefix", options)
    await store.put("a/before", b"1")
    network.refuse()
    network.reset()
    for call in (store.put("a/lost", b"2"), store.get("a/before"), store.probe(), listed(store)):
        with pytest.raises(RepositoryDown) as caught:
            await call
        assert not isinstance(caught.value, RepositoryRefused)
        assert f"{bucket}/a/prefix" in caught.value.message
    with pytest.raises(RepositoryDown):
        await open_repository(f"{bucket}/a/prefix", options)
    network.accept()
    await store.put("a/after", b"3")
    # What was put while the way broke may have arrived.
    assert {"a/before", "a/after"} <= set(await listed(store)) <= {"a/before", "a/after", "a/lost"}


async def test_a_bucket_that_does_not_answer_is_down_within_the_time_that_is_set(
    cloud: Cloud, bucket: str, network: Proxy
) -> None:
    options = {**cloud.through(f"http://{network.address}"), **IMPATIENT}
    store = await open_repository(f"{bucket}/a/prefix", options)
    network.stall()
    for call in (store.put("a/key", b"1"), store.get("a/key"), listed(store)):
        with pytest.raises(RepositoryDown, match="no answer in time"):
            await call
    network.flow()
    await store.put("a/another", b"1")


async def test_a_bucket_that_is_slow_serves_all_the_same(
    cloud: Cloud, bucket: str, network: Proxy
) -> None:
    network.pause_s = 0.02
    options = cloud.through(f"http://{network.address}")
    store = await open_repository(f"{bucket}/a/prefix", options)
    body = bytes(range(256)) * 4000
    await store.put("a/key", body)
    assert await store.get("a/key") == body
