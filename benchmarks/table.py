"""The figures of a benchmark as a table in Markdown, the yardstick beside the service."""

from collections.abc import Iterator, Mapping
from typing import Any

_HEAD = """\
| Slices/s asked | Broker that fills at once: late p50 / p99 ms | sent/s \
| ms of processor a slice: workers, dispatch, servers, sum \
| Paper broker: late p50 / p99 ms | sent/s | ms of processor \
| Yardstick: late p50 / p99 ms | sent/s | ms of processor |
|---|---|---|---|---|---|---|---|---|---|
"""
_PAGE = """\
# Performance
What `make bench ARGS='--page docs/performance.md'` measured last. Figures of one run compare with
each other; a busy machine, or a host that gives processors away, makes all of them worse.

- Late is from a slice's due moment to the broker call. Limits on position, daily loss, quantity,
  value and messages are set, so that each send reads what they ask for, and none is reached.
- Sent/s is what was sent by the end of the load. Where it is less than asked the machine is full;
  each order has a slice a second, and what is a second late ends and leaves its shares to the next.
- The yardstick (`benchmarks/yardstick/worker.py`) is the least that a Django and Celery service
  does for a slice: claim it by an UPDATE, insert a fill, add up totals. It has no check, no
  broker, no audit trail and no recovery. It runs after the service, on the same servers.
- Servers are PostgreSQL and Redis. Accepting the orders of the load is not counted where it happens
  in the benchmark's own process, and is where it happens in PostgreSQL.

"""


def of(figures: Mapping[str, Any]) -> str:
    seconds = figures["seconds"]
    triples = zip(figures["instant"], figures["paper"], figures["yardstick"], strict=True)
    rows = "".join(_row(*each, seconds) for each in triples)
    rest = "".join(f"| {what} | {figure} |\n" for what, figure in _rest(figures))
    return f"{_host(figures)}\n\n{_HEAD}{rows}\n| Beside that | |\n|---|---|\n{rest}"


def page(text: str) -> str:
    return _PAGE + text


def _host(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['cores']} cores, load {figures['load_before']:g} before, "
        f"{figures['stolen_percent']:g} % stolen by the host, {figures['seconds']:g} s a rate."
    )


def _row(
    instant: Mapping[str, Any],
    paper: Mapping[str, Any],
    yardstick: Mapping[str, Any],
    seconds: float,
) -> str:
    cells = [
        str(instant["rate"]),
        _late(instant),
        _pace(instant, seconds),
        ", ".join(f"{each:.1f}" for each in instant["processor_ms"].values()),
    ]
    for each in (paper, yardstick):
        cells += [_late(each), _pace(each, seconds), f"{each['processor_ms']['sum']:.1f}"]
    return f"| {' | '.join(cells)} |\n"


def _late(figures: Mapping[str, Any]) -> str:
    return f"{figures['p50']:,.1f} / {figures['p99']:,.1f}"


def _pace(figures: Mapping[str, Any], seconds: float) -> str:
    return f"{figures['in_time'] / seconds:,.0f}"


def _rest(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    entry, bulk = figures["entry"], figures["bulk_1000_orders_x_20_slices"]["accepted_s"]
    far = figures["order_of_10000_slices_over_a_session"]
    near = figures["order_of_10000_slices_all_within_the_horizon"]
    memory, idle = figures["worker_memory"], figures["idle"]
    slow, history = figures["slow_broker"], figures["history"]
    best = max(each["in_time"] for each in figures["yardstick"]) / figures["seconds"]
    bursts = {
        "burst": "",
        "flood": "",
        "wide": ", each in another symbol that the account has traded today",
        "paper_flood": ", paper broker",
    }
    for name, kind in bursts.items():
        each = figures[name]
        pace = f"{each['per_second']:,}/s, {each['per_second'] / best:.1f} times the yardstick"
        yield (
            f"{each['planned']:,} slices of one due moment{kind}: sent, late p50 / last, pace",
            f"{each['sent']:,}, {each['p50']:,.0f} / {each['p100']:,.0f} ms, {pace}",
        )
    yield (
        f"Answers after {slow['answer_ms']:g} ms, {slow['rate']}/s asked: sent, late p50 / p99",
        f"{slow['sent']:,} of {slow['planned']:,}, {_late(slow['lateness_ms'])} ms",
    )
    yield (
        f"{history['orders']:,} old orders, {history['before']['rate']}/s: late without, with them",
        f"{_late(history['before'])}; {_late(history['after'])} ms",
    )
    took = f"p50 {entry['ms']['p50']:g} ms, p99 {entry['ms']['p99']:g} ms"
    yield (
        f"POST of an order of 20 slices, {entry['clients']} clients at once",
        f"{entry['orders_per_second']:g}/s, {took}",
    )
    rebalance = entry["rebalance"]
    yield (
        f"{rebalance['orders']:,} orders of 20 slices in one POST: first progress, all accepted",
        f"{rebalance['first_line_s']:g} s, {rebalance['accepted_s']:g} s",
    )
    yield "1,000 orders of 20 slices in one call, accepted", f"{bulk:g} s"
    yield "One order of 10,000 slices over a session, stored", f"{far['stored_s']:g} s"
    yield (
        "One order of 10,000 slices, all due within minutes: stored, enqueued",
        f"{near['stored_s']:g} s, {near['enqueued_s']:g} s",
    )
    yield (
        "Workers' memory before and after 10,000 slices beyond the horizon",
        f"{_megabytes(memory['before_mb'])}, {_megabytes(memory['after_mb'])}",
    )
    yield (
        "All processes of `make up` without an order",
        f"{idle['percent_of_a_core']:g} % of a core, {idle['memory_mb']:,} MB",
    )


def _megabytes(each: list[float]) -> str:
    return f"{sum(each):,.0f} MB"
