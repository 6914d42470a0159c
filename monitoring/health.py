"""Whether this process lives, whether the service can work, and what is said when it cannot."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import Error, close_old_connections, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from deepstack import redis_check
from deepstack.config import Config
from deepstack.database import sessions
from execution import heartbeat
from execution.broker.ibkr.endpoint import endpoint_of
from execution.models import Heartbeat, IbkrGateway
from monitoring.readiness import alert_channels

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 2.5  # a store that takes longer counts as away

Part = Mapping[str, object]

# A frozen store holds the thread that asks it; the request goes on without the answer.
_askers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="readyz")


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers; says nothing about its neighbours."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when an order would be executed; else 503, and each part says what is wrong with it."""
    asked = {"database": _askers.submit(_database), "redis": _askers.submit(_redis)}
    wait(asked.values(), timeout=ANSWER_SECONDS)
    parts: dict[str, Part] = {}
    for name, answer in asked.items():
        parts |= _answered(name, answer)
    ready = all(part["ok"] for part in parts.values())
    page = {"status": "ready" if ready else "not ready", "parts": parts}
    response = JsonResponse(page, status=200 if ready else 503)
    # Probes come every few seconds: Django need not log an error for each.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _answered(name: str, answer: Future[dict[str, Part]]) -> dict[str, Part]:
    if not answer.done():
        answer.cancel()
        return {name: {"ok": False, "reason": f"no answer within {ANSWER_SECONDS:.0f} s"}}
    error = answer.exception()
    if error is None:
        return answer.result()
    # The text may hold addresses and names, and nobody has logged in to read this page.
    log.warning("not ready", part=name, error=str(error).strip())
    return {name: {"ok": False, "reason": sessions.in_words(error)}}


def _database() -> dict[str, Part]:
    """Shows life like every other process: a session that answers need not be able to write."""
    close_old_connections()
    missing = _missing_migrations()
    if missing:
        reason = f"{missing} to apply: run `manage.py migrate`"
        return {"database": {"ok": True}, "migrations": {"ok": False, "reason": reason}}
    return {
        "database": _written(),
        "migrations": {"ok": True},
        "dispatch": _alive(Heartbeat.Kind.DISPATCH),
        "worker": _alive(Heartbeat.Kind.WORKER),
        **_clocks(),
        **_live_broker(),
        "alerts": alert_channels(settings.CONFIG),
    }


def _written() -> Part:
    try:
        heartbeat.beat(Heartbeat.Kind.WEB)
    except Error as error:
        log.warning("not ready", part="database", error=str(error).strip())
        return {"ok": False, "reason": f"takes no write: {sessions.in_words(error)}"}
    return {"ok": True}


def _clocks() -> dict[str, Part]:
    wrong = [str(each) for each in heartbeat.wrong_clocks()]
    if not wrong:
        return {}
    return {"clocks": {"ok": False, "reason": "; ".join([*wrong, "set it, for example by NTP"])}}


def _missing_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _alive(kind: str) -> Part:
    """Whether a process of the kind can do its work; what keeps the others from it."""
    fit, troubles = heartbeat.troubles(kind)
    silence = f"none seen for {heartbeat.DEAD_AFTER.total_seconds():.0f} s"
    reason = "; ".join(troubles) or ("" if fit else silence)
    return {"ok": fit > 0, "alive": fit} | ({"reason": reason} if reason else {})


def _live_broker() -> dict[str, Part]:
    """The process that live trading has besides the workers. Without the gateway nothing is sent;
    without the listener executions are only booked some seconds later."""
    config: Config = settings.CONFIG
    if config.trading_mode != "live":
        return {}
    if config.live_broker == "ibkr":
        return {"gateway": _gateway(config)}
    if config.live_broker == "alpaca":
        return {"listener": {"ok": True, "alive": heartbeat.alive(Heartbeat.Kind.LISTENER)}}
    return {}


def _gateway(config: Config) -> Part:
    fresh = timezone.now() - timedelta(seconds=config.ibkr.fresh_seconds)
    row = IbkrGateway.objects.filter(endpoint=endpoint_of(config), seen_at_real__gt=fresh).first()
    if row is None:
        return {"ok": False, "reason": "none seen for some seconds"}
    return {"ok": row.state == IbkrGateway.State.READY, "state": row.state}


def _redis() -> dict[str, Part]:
    trouble = redis_check.trouble()
    return {"redis": {"ok": False, "reason": trouble} if trouble else {"ok": True}}
