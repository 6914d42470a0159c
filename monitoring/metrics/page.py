"""/metrics, for Prometheus: with METRICS_TOKEN as the bearer, and absent where none is set."""

import hmac
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from deepstack.config import Config
from deepstack.web import problem_json
from monitoring.clocks import Moment
from monitoring.metrics import totals
from monitoring.metrics.gauges import GAUGES

KEPT_SECONDS = 4.0

# Name here, labels, what it counts.
COUNTERS = (
    ("events", ["kind"], "Events of the audit trail"),
    ("orders", ["status"], "Orders that came to this status"),
    ("denials", ["code"], "Orders refused by our own checks"),
    ("slices", ["outcome"], "Slices that ended"),
    ("fills", ["broker"], "Executions booked"),
    ("filled_shares", ["broker"], "Shares of the executions booked"),
)
HISTOGRAMS: tuple[tuple[str, str, list[str], str], ...] = (
    ("lateness", "slice_lateness_seconds", [], "From a slice's due time to the broker call"),
    (
        "answer",
        "broker_answer_seconds",
        ["broker"],
        "From the broker call to its answer's record, waits for the order's lock included",
    ),
)


@dataclass(slots=True)
class _Kept:
    text: bytes = b""
    until: float = 0.0  # monotonic


_kept = _Kept()
_one_at_a_time = threading.Lock()


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    token = settings.CONFIG.metrics_token.get_secret_value()
    if not token:
        return problem_json.answer(404, "set METRICS_TOKEN to have metrics", code="NOT_FOUND")
    given = request.headers.get("Authorization", "").encode(errors="replace")
    if not hmac.compare_digest(given, f"Bearer {token}".encode()):
        return problem_json.answer(
            401,
            "send METRICS_TOKEN as Authorization: Bearer",
            code="NOT_AUTHENTICATED",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HttpResponse(_text(settings.CONFIG), content_type=CONTENT_TYPE_LATEST)


def _text(config: Config) -> bytes:
    """As it was up to KEPT_SECONDS ago: scrapes that come at once cost one."""
    with _one_at_a_time:
        if time.monotonic() > _kept.until:
            _kept.text = generate_latest(_Page(config))
            _kept.until = time.monotonic() + KEPT_SECONDS
        return _kept.text


class _Page(Collector):
    def __init__(self, config: Config) -> None:
        self._config = config

    @override
    def collect(self) -> Iterator[Metric]:
        moment = Moment.read()
        counted = totals.up_to_date(
            real_now=moment.real_now, speed=moment.speed, at_most_every=timedelta(seconds=1)
        )
        yield from counters(counted)
        yield from histograms(counted)
        for gauge in GAUGES:
            yield from gauge(moment, self._config)


def counters(counted: Mapping[str, float]) -> Iterable[Metric]:
    for name, labels, text in COUNTERS:
        family = CounterMetricFamily(f"deepstack_{name}", text, labels=labels)
        for at, value in sorted(_of(counted, name)):
            family.add_metric(at, value)
        yield family


def histograms(counted: Mapping[str, float]) -> Iterable[Metric]:
    for name, shown, labels, text in HISTOGRAMS:
        family = HistogramMetricFamily(f"deepstack_{shown}", text, labels=labels)
        buckets = {tuple(at): n for at, n in _of(counted, f"{name}_bucket")}
        sums = {tuple(at): n for at, n in _of(counted, f"{name}_sum")}
        if not labels:
            sums = sums or {(): 0.0}
        for at, total in sorted(sums.items()):
            cumulative, steps = 0.0, []
            for bound in (*map(str, totals.BOUNDS), "+Inf"):
                cumulative += buckets.get((*at, bound), 0.0)
                steps.append((bound, cumulative))
            family.add_metric(list(at), steps, sum_value=total)
        yield family


def _of(counted: Mapping[str, float], name: str) -> Iterable[tuple[list[str], float]]:
    for each, value in counted.items():
        head, *labels = each.split("|")
        if head == name:
            yield labels, value
