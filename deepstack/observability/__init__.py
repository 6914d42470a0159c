"""Traces and error reports: sent where the environment asks for them, and off by default.

Neither OpenTelemetry nor Sentry is imported while it is off.
"""

import sys
from dataclasses import dataclass
from importlib.util import find_spec

import structlog

from deepstack.config import Config
from deepstack.observability.tracing import tracing

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Tool:
    """What its setting asks for, and the modules and packages that it needs."""

    setting: str
    what: str
    modules: tuple[str, ...]
    packages: str


TRACES = _Tool(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "traces",
    ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
    "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
)
REPORTS = _Tool("SENTRY_DSN", "error reports", ("sentry_sdk",), "sentry-sdk")


def begin(config: Config) -> None:
    """What the configuration asks for and this installation has. What it lacks is logged: a tool
    that watches trading must not be what stops it."""
    for line, mends in missing(config):
        log.warning(line, mends=mends)
    asked = _asked(config)
    if TRACES in asked and _installed(TRACES):
        tracing.begin(config)
    if REPORTS in asked and _installed(REPORTS):
        _report_errors(config)


def _report_errors(config: Config) -> None:
    try:
        from deepstack.observability import error_reports

        error_reports.begin(config)
    except Exception:  # such as a release of Sentry's that takes other options
        log.exception("this process goes on without error reports")


def take_part(process: str) -> None:
    """A process of the service, by what it is called in spans and reports; its imports are made
    now and not with its first slice."""
    tracing.warm(process)
    name_process(process)


def name_process(process: str) -> None:
    """In its error reports alone: of one that tells no step."""
    if reports := sys.modules.get("deepstack.observability.error_reports"):
        reports.name_process(process)


def missing(config: Config) -> list[tuple[str, str]]:
    """For each setting whose packages are not installed a line, and what installs them."""
    return [
        (
            f"{tool.setting} is set and its packages are not installed: there are no {tool.what}",
            f"pip install {tool.packages}",
        )
        for tool in _asked(config)
        if not _installed(tool)
    ]


def _asked(config: Config) -> list[_Tool]:
    given = {
        TRACES: config.otel_exporter_otlp_endpoint,
        REPORTS: config.sentry_dsn.get_secret_value(),
    }
    return [tool for tool, value in given.items() if value]


def _installed(tool: _Tool) -> bool:
    try:
        return all(find_spec(module) is not None for module in tool.modules)
    except ModuleNotFoundError:  # of a parent package
        return False
