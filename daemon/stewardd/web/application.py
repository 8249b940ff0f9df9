"""What the HTTP port answers: three paths, for GET and HEAD without a body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from stewardd.web.readiness import Check, Readiness

Exposition = Callable[[], Awaitable[bytes]]

# An answer is as old as it is: nothing between may keep it.
_HEADERS = {"cache-control": "no-store"}


def application(readiness: Readiness, exposition: Exposition, content_type: str) -> Starlette:
    """Returns the application."""

    async def metrics(_: Request) -> Response:
        return Response(await exposition(), media_type=content_type, headers=_HEADERS)

    async def live(_: Request) -> Response:
        # That the event loop got here is the answer; what is down elsewhere is no reason to start the daemon again.
        return PlainTextResponse("ok\n", headers=_HEADERS)

    async def ready(request: Request) -> Response:
        checks = readiness.checks()
        failed = [check.name for check in checks if check.keeps_from_work]
        if "verbose" in request.query_params:
            text = _verbose(checks, failed)
        else:
            text = f"not ready: {', '.join(failed)}\n" if failed else "ok\n"
        return PlainTextResponse(text, 503 if failed else 200, headers=_HEADERS)

    answers = (("/metrics", metrics), ("/livez", live), ("/readyz", ready))
    app = Starlette(routes=[Route(path, endpoint, methods=["GET"]) for path, endpoint in answers])
    app.router.redirect_slashes = False
    return app


def _verbose(checks: list[Check], failed: list[str]) -> str:
    lines = [f"[{'+' if check.is_met else '-'}] {check.name}: {check.said}" for check in checks]
    lines.append(f"not ready: {', '.join(failed)}" if failed else "ready")
    return "\n".join(lines) + "\n"
