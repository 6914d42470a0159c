"""What the OpenAPI document says beside the views: which errors each operation may answer."""

from http import HTTPStatus
from typing import Any

from execution.api.openapi_texts import EXAMPLES, SUMMARIES

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `errors` has sentences by field, of at most 20 fields.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["about:blank"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "what a program may want to tell apart"},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "errors_left_out": {"type": "integer", "minimum": 1},
    },
}
_REF = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_METHODS = ("get", "post", "put", "patch", "delete")
_ALWAYS = (400, 406, 414, 431, 503)
_WITH_BODY = (411, 413, 415)
_KNOWN_CALLER = (401, 403)
_CONFLICTS = ("/cancel/", "/pause/", "/resume/", "/amend/", "/orders/")
_BODY_REQUIRED = ("orders_create", "orders_preview_create", "orders_amend_create")
_HEADERS = {
    401: ("WWW-Authenticate", "how to say who asks"),
    429: ("Retry-After", "seconds until the next try is looked at"),
    503: ("Retry-After", "seconds"),
}


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A hook of drf-spectacular, after the document is made."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    for path, item in result["paths"].items():
        for method in _METHODS:
            if method in item:
                _add(path, method, item[method])
                _describe(item[method])
    return result


def _describe(operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    if name in SUMMARIES:
        operation["summary"] = SUMMARIES[name]
    if name in _BODY_REQUIRED:
        operation["requestBody"]["required"] = True
    if name in EXAMPLES:
        operation["requestBody"]["content"]["application/json"]["example"] = EXAMPLES[name]


def _add(path: str, method: str, operation: dict[str, Any]) -> None:
    statuses = [*_ALWAYS]
    if operation.get("security") != [] and not path.endswith("/token/"):
        statuses += _KNOWN_CALLER
    # The stream is not there for whoever asks the web process instead of its own.
    if "{" in path or path.endswith("/stream"):
        statuses.append(404)
    if method == "post":
        statuses += _WITH_BODY
        if path.endswith(_CONFLICTS):
            statuses.append(409)
        if path.endswith("/amend/"):
            statuses.append(412)
    if path.endswith("/token/"):
        statuses.append(429)
    responses = operation["responses"]
    for status in statuses:
        responses.setdefault(str(status), _response(status))


def _response(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase, "content": _REF}
    if status in _HEADERS:
        name, text = _HEADERS[status]
        answer["headers"] = {name: {"description": text, "schema": {"type": "string"}}}
    return answer
