"""S3 as moto serves it with IAM switched on: it checks each signature, and what the policy of the key's user allows."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlencode

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.clouds.cloud import Cloud, Headers
from tests.support.clouds.serving import serving

REGION = "us-east-1"
_EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
# What the client signs; an S3 that gets other headers, or more of them, does not mind.
_UNSIGNED = frozenset({"user-agent", "accept", "accept-encoding", "connection", "authorization"})


@contextmanager
def s3() -> Iterator[Cloud]:
    """Runs S3 with one user, who may do everything."""
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p"]
    with serving(lambda port: [*moto, str(port)]) as url:
        key, secret = make_user(url, "steward", _EVERYTHING)
        _post(
            f"{url}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}
        )  # from here on each request is checked
        options = {
            "region": REGION,
            "access_key_id": key,
            "secret_access_key": secret,
            "endpoint": url,
        }

        def sign(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Headers:
            return signed(key, secret, method, url, headers, body)

        yield Cloud(
            scheme="s3",
            endpoint=url,
            options=options,
            wrong={**options, "secret_access_key": "another-secret"},
            secret=secret,
            condition="if-none-match",
            sign=sign,
            bucket_of=lambda name: ("PUT", f"/{name}", b""),
        )


def make_user(url: str, name: str, policy: Mapping[str, object] | None) -> tuple[str, str]:
    """Makes a user of an S3 that does not check requests yet; returns the name of a key and its secret."""
    _iam(url, Action="CreateUser", UserName=name)
    if policy is not None:
        document = json.dumps(policy)
        _iam(
            url,
            Action="PutUserPolicy",
            UserName=name,
            PolicyName="all",
            PolicyDocument=document,
        )
    made = _iam(url, Action="CreateAccessKey", UserName=name)
    key, secret = (
        re.search(f"<{part}>([^<]+)</{part}>", made) for part in ("AccessKeyId", "SecretAccessKey")
    )
    assert key is not None
    assert secret is not None
    return key[1], secret[1]


def signed(
    key: str, secret: str, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> Headers:
    """Signs a request (AWS Signature Version 4)."""
    kept = {name: value for name, value in headers.items() if name.lower() not in _UNSIGNED}
    request = AWSRequest(method=method, url=url, data=body, headers=kept)
    S3SigV4Auth(Credentials(key, secret), "s3", REGION).add_auth(request)
    return dict(request.headers.items())


def _iam(url: str, **asked: str) -> str:
    form = urlencode({**asked, "Version": "2010-05-08"}).encode()
    scope = f"AWS4-HMAC-SHA256 Credential=setup/20260101/{REGION}/iam/aws4_request"
    return _post(url, form, {"Authorization": scope})


def _post(url: str, body: bytes, headers: Mapping[str, str] = {}) -> str:  # read
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
    with urllib.request.urlopen(request) as answer:
        return str(answer.read(), "utf-8")
