"""The contract, asked of S3 as moto serves it."""

from __future__ import annotations

import importlib.util
import secrets
import sys
import urllib.request
from collections.abc import Iterator

import pytest
from stewardd.errors import ConfigurationError, RepositoryDown
from stewardd.repository.backend.all import open_store
from stewardd.repository.backend.store import Store

from tests.contract.conftest import serving
from tests.contract.quarantine_contract import *  # noqa: F403  # the tests
from tests.contract.store_contract import *  # noqa: F403  # the tests

OPTIONS = {
    "allow_http": "true",
    "region": "us-east-1",
    "access_key_id": "test",
    "secret_access_key": "s3cret-of-the-test",
}


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    if importlib.util.find_spec("moto") is None:
        pytest.skip("moto[server] is not installed")
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p"]
    with serving(lambda port: [*moto, str(port)]) as url:
        yield url


@pytest.fixture
def bucket(endpoint: str) -> str:
    name = f"steward-{secrets.token_hex(6)}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT")).close()
    return name


@pytest.fixture
def store(endpoint: str, bucket: str) -> Store:
    return open_store(f"s3://{bucket}/a/prefix", {**OPTIONS, "endpoint": endpoint})


async def test_a_prefix_is_all_that_a_store_sees(endpoint: str, bucket: str, store: Store) -> None:
    around = open_store(f"s3://{bucket}", {**OPTIONS, "endpoint": endpoint})
    await around.put("a/other", b"x")
    await store.put("k", b"y")
    assert [each.key async for each in store.list("")] == ["k"]
    assert [each.key async for each in around.list("")] == ["a/other", "a/prefix/k"]


async def test_a_bucket_that_is_not_there_is_down_and_tells_no_secret(endpoint: str) -> None:
    nowhere = open_store("s3://no-such-bucket/x", {**OPTIONS, "endpoint": endpoint})
    with pytest.raises(RepositoryDown) as caught:
        await nowhere.probe()
    assert "s3://no-such-bucket/x" in caught.value.message
    assert "s3cret" not in repr(caught.value)


async def test_a_url_is_kept_without_what_it_may_hide(endpoint: str) -> None:
    opened = open_store("s3://user:password@bucket/x/?token=t", {**OPTIONS, "endpoint": endpoint})
    assert opened.url == "s3://bucket/x"


async def test_an_option_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        open_store("s3://bucket", {"no_such_option": "1"})
