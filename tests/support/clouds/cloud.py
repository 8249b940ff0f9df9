"""What tests know of the object store of a cloud, whichever it is."""

from __future__ import annotations

import secrets
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Cloud:
    """An object store that runs.

    `options` open it with the credentials of its owner, `wrong` with a secret that is not theirs. `condition` is the
    header of a create-once put. `sign` returns the headers of a request (method, URL, headers, body) with the owner's
    signature. `bucket_of` is the path and the query of the request that makes a bucket.
    """

    scheme: str
    endpoint: str
    options: Mapping[str, str]
    wrong: Mapping[str, str]
    secret: str
    condition: str
    sign: Callable[[str, str, Mapping[str, str], bytes], Headers]
    bucket_of: Callable[[str], tuple[str, str, bytes]]

    def make_bucket(self, name: str = "") -> str:
        """Makes a bucket (Azure: a container), and returns its URL, such as `s3://steward-0a1b2c`."""
        bucket = name or f"steward-{secrets.token_hex(6)}"
        self.request(*self.bucket_of(bucket))
        return f"{self.scheme}://{bucket}"

    def put(self, path: str, body: bytes) -> None:
        """Writes an object by its percent-encoded path, as a program other than steward does."""
        self.request("PUT", path, body, {"Content-Type": "text/csv"})

    def request(self, method: str, path: str, body: bytes = b"", headers: Headers = {}) -> None:  # noqa: B006  # read
        """Sends a signed request. Raises: HTTPError."""
        url = self.endpoint + path
        signed = self.sign(method, url, {**headers, "Content-Length": str(len(body))}, body)
        urllib.request.urlopen(
            urllib.request.Request(url, data=body or None, headers=signed, method=method)
        ).close()

    def through(self, address: str) -> dict[str, str]:
        """The options for the same store through a proxy at http://HOST:PORT."""
        host = f"http://{urlsplit(self.endpoint).netloc}"
        return {name: value.replace(host, address) for name, value in self.options.items()}
