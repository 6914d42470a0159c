"""The stream process: server-sent events, and nothing else of the web."""

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deepstack.settings")
_django = get_asgi_application()

from deepstack import observability  # noqa: E402  it needs the settings
from deepstack.web import problem_json  # noqa: E402  the same

observability.take_part("stream")
PATHS = ("/api/v1/orders/stream", "/healthz")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Logins and pages have bounds of their own in the web process; here they are not served."""
    if scope["type"] == "http" and scope["path"] not in PATHS:
        body = problem_json.as_bytes(404, "this process serves the stream only", code="NOT_FOUND")
        kind = problem_json.CONTENT_TYPE.encode()
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await _django(scope, receive, send)
