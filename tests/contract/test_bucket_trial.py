"""What a bucket must keep, asked of an S3 that keeps all of it but one promise; and why a bucket refuses."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from stewardd.errors import ConfigurationError, RepositoryDown, RepositoryRefused, StorageFull
from stewardd.repository.backend.all import open_repository, open_store
from stewardd.repository.backend.store import Store

from tests.support.clouds.cloud import Cloud
from tests.support.storage import Storage, altered, refusal

SECRET = "s3cret-of-the-test"
OPTIONS = {"region": "us-east-1", "access_key_id": "test", "secret_access_key": SECRET}
ONE_RETRY = {**OPTIONS, "max_retries": "1"}


@pytest.fixture
def storage(s3: Cloud) -> Iterator[Storage]:
    with altered(s3) as made:
        yield made


@pytest.fixture
def url(s3: Cloud) -> str:
    return f"{s3.make_bucket()}/some/prefix"


async def open_at(storage: Storage, url: str) -> Store:
    return await open_repository(url, storage.options)


async def refused(storage: Storage, url: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        await open_at(storage, url)
    assert url in caught.value.message
    assert storage.cloud.secret not in repr(caught.value)
    return caught.value


async def left(s3: Cloud, url: str) -> list[str]:
    return [each.key async for each in open_store(url, s3.options).list("")]


async def test_a_bucket_that_keeps_everything_is_taken_and_nothing_is_left_in_it(
    storage: Storage, url: str, s3: Cloud
) -> None:
    await asyncio.gather(*(open_at(storage, url) for _ in range(4)))
    assert await left(s3, url) == []


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (400, "InvalidArgument")])
async def test_a_bucket_that_takes_no_condition_is_refused(
    storage: Storage, url: str, status: int, code: str
) -> None:
    def answer(method: str, path: str, query: str) -> tuple[int, bytes] | None:
        # The first key is put without the condition, the others with it.
        return refusal(status, code) if method == "PUT" and not path.endswith("/2") else None

    storage.answer = answer
    error = await refused(storage, url)
    assert "If-None-Match" in error.message
    assert code in error.message


@pytest.mark.parametrize(
    ("method", "query", "right"),
    [
        ("PUT", "", "s3:PutObject"),
        ("GET", "list-type", "s3:ListBucket"),
        ("POST", "delete", "s3:DeleteObject"),
    ],
)
async def test_a_right_that_is_missing_is_named(
    storage: Storage, url: str, method: str, query: str, right: str
) -> None:
    storage.answer = lambda asked, _, given: (
        refusal(403, "AccessDenied") if asked == method and query in given else None
    )
    error = await refused(storage, url)
    assert "AccessDenied" in error.message
    assert right in error.message
    assert right in error.hint


async def test_a_delete_that_is_denied_inside_a_good_answer_is_told(
    storage: Storage, url: str
) -> None:
    """A bulk delete is answered by 200, with an error for each key."""
    denied = rb"<Error>\1<Code>AccessDenied</Code><Message>no</Message></Error>"
    storage.alter = lambda method, _, body: (
        re.sub(rb"<Deleted>.*?(<Key>.*?</Key>).*?</Deleted>", denied, body, flags=re.DOTALL)
        if method == "POST"
        else body
    )
    error = await refused(storage, url)
    assert "AccessDenied" in error.message
    assert "s3:DeleteObject" in error.message


async def test_a_bucket_that_lists_out_of_order_is_refused(storage: Storage, url: str) -> None:
    def turned(method: str, query: str, body: bytes) -> bytes:
        entries = re.findall(rb"<Contents>.*?</Contents>", body, re.DOTALL)
        if method != "GET" or len(entries) < 2:
            return body
        whole = re.search(rb"<Contents>.*</Contents>", body, re.DOTALL)
        assert whole is not None
        return body.replace(whole[0], b"".join(reversed(entries)))

    storage.alter = turned
    assert "order" in (await refused(storage, url)).message


async def test_a_bucket_that_does_not_list_what_was_just_written_is_refused(
    storage: Storage, url: str
) -> None:
    storage.alter = lambda _, query, body: (
        re.sub(rb"<Contents>.*</Contents>", b"", body, flags=re.DOTALL)
        if "list-type" in query
        else body
    )
    assert "a moment ago" in (await refused(storage, url)).message


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "InvalidAccessKeyId", "key's name"),
        (403, "SignatureDoesNotMatch", "key's name"),
        (400, "ExpiredToken", "renew"),
        (404, "NoSuchBucket", "make it"),
        (301, "PermanentRedirect", "region"),
        (400, "AuthorizationHeaderMalformed", "region"),
        (403, "AuthorizationPermissionMismatch", "read, write and delete"),
        (404, "ContainerNotFound", "make it"),
    ],
)
async def test_why_a_bucket_refuses_is_told_in_its_own_word_with_what_to_do(
    storage: Storage, url: str, status: int, code: str, hint: str
) -> None:
    signed = "<StringToSign>the-signed-text</StringToSign><SignatureProvided>x</SignatureProvided>"
    storage.answer = lambda *_: refusal(status, code, signed)
    error = await refused(storage, url)
    assert code in error.message
    assert hint in error.hint
    assert "signed" not in error.message
    opened = open_store(url, storage.options)
    with pytest.raises(RepositoryRefused, match=code):
        await opened.put("a/b", b"x")


async def test_a_bucket_that_is_full_is_full_and_not_down(storage: Storage, url: str) -> None:
    storage.answer = lambda *_: refusal(400, "QuotaExceeded")
    with pytest.raises(StorageFull, match="QuotaExceeded"):
        await open_store(url, storage.options).put("a/b", b"x")


async def test_a_url_in_an_answer_loses_its_signature(storage: Storage, url: str) -> None:
    told = b"<Error><Code>Odd</Code><Message>see http://h/x?X-Amz-Signature=abc or sig=def</Message></Error>"
    storage.answer = lambda *_: (400, told)
    with pytest.raises(RepositoryDown) as caught:
        await open_store(url, storage.options).put("a/b", b"x")
    assert "Odd" in caught.value.message
    assert "abc" not in caught.value.message
    assert "def" not in caught.value.message


@pytest.mark.parametrize(
    ("endpoint", "said", "hint"),
    [
        ("http://127.0.0.1:1", "Connection refused", "port"),
        ("http://no-such-host.invalid:1", "lookup", "host"),
    ],
)
async def test_a_storage_that_is_not_reached_is_down_with_its_cause(
    endpoint: str, said: str, hint: str
) -> None:
    with pytest.raises(RepositoryDown) as caught:
        await open_repository("s3://depot/x", {**ONE_RETRY, "endpoint": endpoint})
    assert not isinstance(caught.value, RepositoryRefused)
    assert said in caught.value.message
    assert hint in caught.value.hint


async def test_a_storage_that_speaks_no_tls_is_told_so(storage: Storage) -> None:
    with pytest.raises(RepositoryDown) as caught:
        await open_repository(
            "s3://depot/x", {**ONE_RETRY, "endpoint": storage.url.replace("http:", "https:")}
        )
    assert "http://" in caught.value.hint


async def test_a_plain_endpoint_and_an_allow_http_that_forbids_it_contradict_each_other() -> None:
    options = {**OPTIONS, "endpoint": "http://127.0.0.1:1", "allow_http": "false"}
    with pytest.raises(ConfigurationError, match="allow_http"):
        await open_repository("s3://depot/x", options)


def test_a_plain_endpoint_of_the_environment_names_the_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        script = (
            "import asyncio\n"
            "from stewardd.repository.backend.all import open_repository\n"
            "asyncio.run(open_repository('s3://depot/x', {}))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={
                "AWS_ENDPOINT": f"http://127.0.0.1:{taken.getsockname()[1]}",
                "AWS_ACCESS_KEY_ID": "a",
                "AWS_SECRET_ACCESS_KEY": SECRET,
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert "ConfigurationError" in done.stderr
    assert "allow_http" in done.stderr
    assert SECRET not in done.stderr
