"""Traces and error reports: off unless asked for, and never in the way of what they watch."""

import os
import subprocess
import sys
import time
from typing import Any

import pytest

from deepstack.config import ROOT, Config, ConfigError
from deepstack.observability import trace_ids
from deepstack.observability.masking import Mask
from deepstack.observability.tracing import harmless, tracing
from tests.telemetry_receiver import receiving

pytestmark = pytest.mark.any_date

TRACE = 0x0AF7651916CD43DD8448EB211C80319C


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, with the configuration that a process of the service reads."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"OTEL_BSP_SCHEDULE_DELAY": "50"} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


BEGIN = """
import os, sys, time
from deepstack import observability
from deepstack.config import current
from deepstack.observability.tracing import Step, harmless, tracing
observability.begin(current())
observability.take_part("test")
def tell(name, trace=7, **more):
    harmless(tracing.tell)(Step(trace, name, time.time_ns(), time.time_ns(), **more))
"""


def test_nothing_is_imported_while_it_is_off() -> None:
    script = BEGIN + "tell('step'); print([name for name in sys.modules if name[:9] in"
    done = run(script + "('opentelem', 'sentry_sd')])")
    assert done.stdout.strip() == "[]", done.stderr


def test_off_a_step_of_the_flow_asks_one_attribute() -> None:
    called = list[int]()
    assert not tracing.on
    harmless(called.append)(1)
    assert (called, tracing.now()) == ([], 0)


def test_what_a_trace_stumbles_over_ends_the_traces_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stumble() -> None:
        raise KeyError("reason")

    monkeypatch.setattr(tracing, "on", True)
    harmless(stumble)()
    assert not tracing.on


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("order", 1, 77), ("order", 1, 77), True),
        (("order", 1, 77), ("order", 1, 78), False),  # the same number in another database
        (("order", 1, 77), ("order", 17, 7), False),
        (("order", 1, 77), ("slice", 1, 77), False),
    ],
)
def test_ids_derive_from_what_never_changes(
    one: tuple[object, ...], other: tuple[object, ...], *, same: bool
) -> None:
    assert (trace_ids.trace_id(*one) == trace_ids.trace_id(*other)) is same
    assert (trace_ids.span_id(*one) == trace_ids.span_id(*other)) is same
    assert 0 < trace_ids.trace_id(*one) < 2**128
    assert 0 < trace_ids.span_id(*one) < 2**64


def test_a_ratio_keeps_or_drops_whole_orders() -> None:
    """Whichever process tells a step, and with or without the step that began the trace."""
    with receiving() as received:
        script = BEGIN + "[tell(n, trace=t << 56 | t, **p) for t in range(1, 200)"
        done = run(
            script + " for n, p in (('root', dict(span=9)), ('step', dict(parent=9)))]",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint,
            OTEL_TRACES_SAMPLER="parentbased_traceidratio",
            OTEL_TRACES_SAMPLER_ARG="0.25",
        )
        assert done.returncode == 0, done.stderr
    roots = {span.trace for span in received.spans if span.name == "root"}
    steps = {span.trace for span in received.spans if span.name == "step"}
    assert roots == steps
    assert 0 < len(roots) < 199


def test_a_process_that_forks_sends_the_spans_of_its_children_too() -> None:
    with receiving() as received:
        script = """
tell("parent")
child = os.fork()
if child == 0:
    tell("child")
    tracing.end()
    os._exit(0)
os.waitpid(child, 0)
"""
        done = run(BEGIN + script, OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint)
        assert done.returncode == 0, done.stderr
    assert sorted(span.name for span in received.spans) == ["child", "parent"]


def test_headers_and_service_go_along() -> None:
    with receiving() as received:
        done = run(
            BEGIN + "tell('step', span=5, link='00-0af7651916cd43dd8448eb211c80319c-"
            "b7ad6b7169203331-01'); tell('link', link='nonsense')",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint + "/",
            OTEL_EXPORTER_OTLP_HEADERS="api-key=a%20b,tenant=desk",
        )
        assert done.returncode == 0, done.stderr
    headers = {name.lower(): value for name, value in received.headers[0].items()}
    assert (headers["api-key"], headers["tenant"]) == ("a b", "desk")
    [step, link] = received.spans
    assert (step.trace, step.span, step.process) == (f"{7:032x}", f"{5:016x}", "test")
    assert (step.links, link.links) == ((f"{TRACE:032x}",), ())


def test_a_receiver_that_does_not_answer_delays_no_step_and_no_end() -> None:
    """More steps than the queue holds: the oldest are dropped. The process ends in seconds."""
    with receiving() as received:
        received.answers.clear()
        script = """
slowest = 0.0
for _ in range(3_000):
    began = time.perf_counter()
    tell("step")
    slowest = max(slowest, time.perf_counter() - began)
print(slowest)
"""
        began = time.monotonic()
        done = run(
            BEGIN + script,
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint,
            OTEL_BSP_MAX_QUEUE_SIZE="1000",
            LOG_LEVEL="WARNING",
        )
        took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) < 1.0  # the receiver would hold it for a minute
    assert took < 30


def test_a_package_that_is_missing_is_named_and_stops_nothing() -> None:
    hidden = "import sys\nsys.modules['opentelemetry'] = sys.modules['sentry_sdk'] = None\n"
    done = run(
        hidden + BEGIN + "tell('step'); print('trades on', tracing.on)",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        SENTRY_DSN="http://key@127.0.0.1:9/1",
    )
    assert done.stdout.splitlines()[-1] == "trades on False", done.stderr
    told = done.stdout + done.stderr
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is set and its packages are not installed" in told
    assert "SENTRY_DSN is set and its packages are not installed" in told
    assert "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http" in told
    assert "pip install sentry-sdk" in told


def test_the_check_warns_of_a_missing_package_and_lets_the_process_start() -> None:
    hidden = "import sys\nsys.modules['sentry_sdk'] = None\n"
    script = "from deepstack.manage import main\nmain(['check', '--tag', 'configuration'])"
    done = run(hidden + script, SENTRY_DSN="http://key@127.0.0.1:9/1")
    assert done.returncode == 0, done.stderr
    assert "(execution.W002) SENTRY_DSN is set and its packages are not installed" in done.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "an address such as"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "'http/protobuf'"),
        ({"OTEL_SERVICE_NAME": ""}, "at least 1 character"),
        ({"OTEL_TRACES_SAMPLER": "sometimes"}, "'traceidratio'"),
        ({"OTEL_TRACES_SAMPLER_ARG": "25"}, "less than or equal to 1"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "hunter2"}, "headers = ***: name=value"),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
                "OTEL_EXPORTER_OTLP_HEADERS": "api-key=hunter2",
            },
            "which hold a key, https:// is allowed",
        ),
        ({"SENTRY_DSN": "hunter2"}, "sentry_dsn = ***: https://key@host.example/number"),
        ({"SENTRY_DSN": "https://o1.ingest.sentry.io/12"}, "https://key@host.example/number"),
        ({"SENTRY_DSN": "https://hunter2@o1.ingest.sentry.io"}, "https://key@host.example/number"),
        ({"SENTRY_DSN": "http://hunter2@sentry.example/12"}, "http:// only on this machine"),
    ],
)
def test_a_malformed_setting_is_refused_in_words(
    here: type[Config],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    said: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


SECRETS = {
    "SECRET_KEY": "session-key-of-more-than-32-characters",
    "ALPACA_SECRET_KEY": "alpaca-secret",
    "METRICS_TOKEN": "metrics-token",
    "FLOWER_BASIC_AUTH": "desk:flower-password",
    "DATABASE_URL": "postgresql://desk:db%2Fpassword@host:5432/deepstack",
    "ALERT_WEBHOOK_URL": "https://hooks.example/services/T0001/B0002/path-is-a-password",
    "ALERTS__CHANNELS__DESK__URL": "slack://TokenAAAA/TokenBBBB/TokenCCCC/#desk",
    "WEBHOOKS__RECEIVERS__RISK__URL": "https://risk.example/orders-of-desk",
    "WEBHOOKS__RECEIVERS__RISK__SECRET": "whsec_" + "c2VjcmV0" * 4,
    "SENTRY_DSN": "https://publickeyofsentry@o1.ingest.sentry.io/12",
}


@pytest.fixture
def mask(here: type[Config], monkeypatch: pytest.MonkeyPatch) -> Mask:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return Mask(here.from_env())


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        *((f"got {SECRETS[name]!r}", "got '***'") for name in SECRETS if name != "DATABASE_URL"),
        (f"got {SECRETS['DATABASE_URL']}", "got postgresql://***@host:5432/deepstack"),
        ("password authentication failed: db/password", "password authentication failed: ***"),
        ("POST services/T0001/B0002/path-is-a-password 500", "POST *** 500"),
        ("TokenBBBB is refused", "*** is refused"),
        ("flower-password", "***"),
        ("redis://:pw@host:6379/0 is away", "redis://***@host:6379/0 is away"),
        ("Authorization: Token 9944b09199c62bcf9418ad846dd0e4bb", "Authorization: ***"),
        ("sent Bearer 0123456789abcdef", "sent Bearer ***"),
        ('{"password": "one two", "user": "ann"}', '{"password": ***, "user": "ann"}'),
        ("?token=abc&page=2", "?token=***&page=2"),
        ("BUY 400 @ <= 125.38", "BUY 400 @ <= 125.38"),
        ("deepstack-execution@1.0.0", "deepstack-execution@1.0.0"),
        ("the token expired", "the token expired"),
    ],
)
def test_secrets_are_masked_and_the_rest_is_not(mask: Mask, said: str, shown: str) -> None:
    assert mask.text(said) == shown


def test_masking_goes_through_lists_and_mappings_and_leaves_source_alone(mask: Mask) -> None:
    event: dict[str, Any] = {
        "extra": {"api_key": "anything", "order_id": 7, "nothing": None},
        "headers": {"X-Own": "anything"},
        "frames": [{"context_line": "    token = secrets.token_hex()", "vars": "metrics-token"}],
    }
    assert mask.all_in(event) == {
        "extra": {"api_key": "***", "order_id": 7, "nothing": None},
        "headers": "***",
        "frames": [{"context_line": "    token = secrets.token_hex()", "vars": "***"}],
    }
