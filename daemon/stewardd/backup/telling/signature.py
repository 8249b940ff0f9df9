"""The headers of a webhook by Standard Webhooks (standardwebhooks.com, version 1, symmetric signatures). Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

_PREFIX = "whsec_"


def read_secret(text: str) -> bytes:
    """The key of a secret, `whsec_` and base64. Raises: ValueError, without the text."""
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("a webhook's secret is whsec_ and the base64 of 24 to 64 bytes")
    return key


def signed_headers(
    message_id: str, timestamp_s: int, body: bytes, key: bytes | None
) -> dict[str, str]:
    """The headers of one sending of a message; a message that is sent again keeps its id."""
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
    }
    if key is not None:
        signed = f"{message_id}.{timestamp_s}.".encode() + body
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers
