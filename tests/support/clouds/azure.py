"""Azure Blob Storage as Azurite serves it, telemetry off. It checks each signature by the account's key."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tests.support.clouds.cloud import Cloud, Headers
from tests.support.clouds.serving import serving

AZURITE = Path(__file__).parent / "azurite" / "node_modules" / ".bin" / "azurite-blob"

# The emulator's only account; Microsoft publishes its key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# The headers of a Shared Key signature, in its order.
_SIGNED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


@contextmanager
def azure() -> Iterator[Cloud]:
    """Runs Azure Blob Storage with one account."""
    command = [str(AZURITE), "--disableTelemetry", "--inMemoryPersistence", "--silent"]
    with serving(
        lambda port: [*command, "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    ) as url:
        endpoint = f"{url}/{ACCOUNT}"
        options = {"account_name": ACCOUNT, "account_key": KEY, "endpoint": endpoint}
        yield Cloud(
            scheme="az",
            endpoint=endpoint,
            options=options,
            wrong={**options, "account_key": base64.b64encode(b"another key").decode()},
            secret=KEY,
            condition="if-none-match",
            sign=signed,
            bucket_of=lambda name: ("PUT", f"/{name}?restype=container", b""),
        )


def signed(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Headers:
    """Signs a request by the account's key (Authorize with Shared Key, REST API of Azure Storage)."""
    made = {
        **{name: value for name, value in headers.items() if name.lower() != "authorization"},
        "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
        "x-ms-version": "2021-08-06",
    }
    lower = {name.lower(): value for name, value in made.items()}
    lower["content-length"] = str(len(body)) if body else ""
    parts = urlsplit(url)
    named = sorted(name for name in lower if name.startswith("x-ms-"))
    text = "\n".join(
        [
            method,
            *(lower.get(name, "") for name in _SIGNED),
            *(f"{name}:{lower[name]}" for name in named),
            f"/{ACCOUNT}{parts.path}",
            *(f"{name}:{value}" for name, value in sorted(parse_qsl(parts.query))),
        ]
    )
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    made["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    return made
