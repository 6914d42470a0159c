"""The figures of a benchmark as a table in Markdown, the yardstick beside the service."""

from collections.abc import Mapping
from typing import Any

_HEAD = """\
| Slices/s asked | Service: late p50 / p99 ms | sent/s \
| ms of processor a slice: workers, dispatch, servers, sum \
| Yardstick: late p50 / p99 ms | sent/s | ms of processor a slice |
|---|---|---|---|---|---|---|
"""
_PAGE = """\
# Performance
What `make bench ARGS='--page docs/performance.md'` measured last. Figures of one run compare with
each other; a busy machine, or a host that gives processors away, makes all of them worse.

- Late is from a slice's due moment to the broker call, with the paper broker and no limits set.
- Sent/s is what was sent over the load's time. Where it is less than asked the machine is full, and
  the other slices ended with their order's window.
- The yardstick (`benchmarks/yardstick/worker.py`) is the least that a Django and Celery service
  does for a slice: claim it by an UPDATE, insert a fill, add up totals. It has no check, no
  broker, no audit trail and no recovery. It runs after the service, on the same servers.
- Servers are PostgreSQL and Redis. Accepting the orders of the load is not counted where it happens
  in the benchmark's own process, and is where it happens in PostgreSQL.

"""


def of(figures: Mapping[str, Any]) -> str:
    seconds = figures["seconds"]
    pairs = zip(figures["lateness_ms"], figures["yardstick"], strict=True)
    rows = "".join(_row(ours, theirs, seconds) for ours, theirs in pairs)
    return f"{_host(figures)}\n\n{_HEAD}{rows}\n{_rest(figures)}"


def page(text: str) -> str:
    return _PAGE + text


def _host(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['cores']} cores, load {figures['load_before']:g} before, "
        f"{figures['stolen_percent']:g} % stolen by the host, {figures['seconds']:g} s a rate."
    )


def _row(ours: Mapping[str, Any], theirs: Mapping[str, Any], seconds: float) -> str:
    cells = [
        str(ours["rate"]),
        f"{ours['p50']:,.1f} / {ours['p99']:,.1f}",
        f"{ours['sent'] / seconds:,.0f}",
        ", ".join(f"{each:.1f}" for each in ours["processor_ms"].values()),
        f"{theirs['p50']:,.1f} / {theirs['p99']:,.1f}",
        f"{theirs['sent'] / seconds:,.0f}",
        f"{theirs['processor_ms']['sum']:.1f}",
    ]
    return f"| {' | '.join(cells)} |\n"


def _rest(figures: Mapping[str, Any]) -> str:
    entry, bulk = figures["entry"], figures["bulk_1000_orders_x_20_slices"]["accepted_s"]
    far = figures["order_of_10000_slices_over_a_session"]
    near = figures["order_of_10000_slices_all_within_the_horizon"]
    memory = figures["worker_memory"]
    return (
        "| Entry and memory | |\n|---|---|\n"
        f"| POST of an order of 20 slices, {entry['clients']} clients at once "
        f"| {entry['orders_per_second']:g}/s, p50 {entry['ms']['p50']:g} ms, "
        f"p99 {entry['ms']['p99']:g} ms |\n"
        f"| 1,000 orders of 20 slices in one call, accepted | {bulk:g} s |\n"
        f"| One order of 10,000 slices over a session, stored | {far['stored_s']:g} s |\n"
        f"| One order of 10,000 slices, all due within minutes: stored, enqueued "
        f"| {near['stored_s']:g} s, {near['enqueued_s']:g} s |\n"
        f"| Workers' memory before and after 10,000 slices beyond the horizon "
        f"| {_megabytes(memory['before_mb'])}, {_megabytes(memory['after_mb'])} |\n"
    )


def _megabytes(each: list[float]) -> str:
    return f"{sum(each):,.0f} MB"
