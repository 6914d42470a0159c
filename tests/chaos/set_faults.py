"""What may strike a worker in the middle of a set: in front of the statement that writes all its
intents, or that books all its executions. `tests.chaos.settings` puts it into every connection."""

import json
import os
import signal
from collections.abc import Callable
from typing import Any

from django.db.backends.signals import connection_created

from tests.chaos.client import armed, struck

POISON = "DEEPSTACK_CHAOS_POISON"  # every so many slices is one that cannot be stored


def watch(connection: Any, **_: object) -> None:
    if _strike not in connection.execute_wrappers:
        connection.execute_wrappers.append(_strike)


def _strike(
    execute: Callable[..., Any], text: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    if '"claim_token" = made.' in text:
        rows = json.loads(params[0])
        if len(rows) > 1:
            _in_the_middle(context["connection"])
        params = [_poisoned(rows), *params[1:]]
    elif "INSERT INTO" in text and '"execution_id"' in text and len(json.loads(params[0])) > 1:
        struck("kill-in-record", signal.SIGKILL)
    return execute(text, params, many, context)


def _in_the_middle(connection: Any) -> None:
    struck("kill-in-set", signal.SIGKILL)
    if armed("end-thread"):
        raise SystemExit
    if armed("cut-connection"):
        connection.connection.close()


def _poisoned(rows: list[dict[str, object]]) -> str:
    every = int(os.environ.get(POISON, 0))
    for row in rows:
        if every and int(str(row["id"])) % every == 0:
            row["limit_price"] = "poison"
    return json.dumps(rows)


connection_created.connect(watch)
