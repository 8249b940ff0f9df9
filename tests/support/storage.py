"""A server before a cloud that alters one promise of it: a header that is dropped, an answer that is given instead."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support.clouds.cloud import Cloud

Answer = tuple[int, bytes]


def refusal(status: int, code: str, more: str = "") -> Answer:
    """What S3 answers when it refuses."""
    return (
        status,
        f"<Error><Code>{code}</Code><Message>told by {code}</Message>{more}</Error>".encode(),
    )


@dataclass
class Storage:
    """Passes requests on. `answer` may give another answer by method, path and query.

    `dropped` headers are lost: a request that had one is signed anew, so that the cloud takes it as it is then.
    """

    cloud: Cloud
    answer: Callable[[str, str, str], Answer | None] = lambda *_: None
    dropped: set[str] = field(default_factory=set)
    alter: Callable[[str, str, bytes], bytes] = lambda *said: said[2]
    url: str = ""

    @property
    def options(self) -> dict[str, str]:
        """What opens the cloud's buckets through this server."""
        return self.cloud.through(self.url)


@contextmanager
def altered(cloud: Cloud) -> Iterator[Storage]:
    """A Storage before a cloud; alter it as the test goes."""
    storage = Storage(cloud)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            given = storage.answer(self.command, parts.path, parts.query)
            if given is not None:
                self.reply(*given, {})
                return
            connection = http.client.HTTPConnection(urlsplit(cloud.endpoint).netloc, timeout=30)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in storage.dropped}
            if len(headers) < len(self.headers.items()):
                url = f"http://{self.headers['Host']}{self.path}"
                headers = cloud.sign(self.command, url, headers, body)
            connection.request(self.command, self.path, body, headers)
            with connection.getresponse() as response:
                said = storage.alter(self.command, parts.query, response.read())
                self.reply(response.status, said, dict(response.getheaders()))
            connection.close()

        def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in (
                    "content-length",
                    "transfer-encoding",
                    "connection",
                    "date",
                    "server",
                ):
                    self.send_header(name, value)
            length = (
                headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
            )
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815  # the names that the module asks for

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # its name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    storage.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield storage
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
