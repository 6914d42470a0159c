"""The benchmark's table: one row a rate, the service and the yardstick side by side."""

from benchmarks import table

LATE = {"rate": 100, "sent": 1_950, "in_time": 1_900, "p50": 1.25, "p99": 1_234.5}
BURST = {"planned": 1_000, "sent": 999, "p50": 300.4, "p100": 1_700.0, "per_second": 588}
FIGURES = {
    "cores": 2,
    "load_before": 0.2,
    "stolen_percent": 1.5,
    "seconds": 20,
    "instant": [LATE | {"processor_ms": {"workers": 8.0, "dispatch": 0.5, "sum": 8.5}}],
    "paper": [LATE | {"in_time": 1_800, "processor_ms": {"workers": 9.0, "sum": 9.0}}],
    "yardstick": [LATE | {"in_time": 2_000, "processor_ms": {"workers": 5.0, "sum": 5.0}}],
    "burst": BURST,
    "flood": BURST | {"planned": 3_000, "sent": 3_000, "per_second": 405},
    "wide": BURST | {"per_second": 333},
    "paper_flood": BURST | {"per_second": 250},
    "slow_broker": {
        "answer_ms": 100.0,
        "rate": 300,
        "sent": 5_990,
        "planned": 6_000,
        "lateness_ms": {"p50": 3.0, "p99": 45.0},
    },
    "history": {"orders": 200_000, "before": LATE, "after": LATE | {"p99": 1_300.0}},
    "entry": {
        "clients": 20,
        "orders_per_second": 91.5,
        "ms": {"p50": 200, "p99": 400},
        "rebalance": {"orders": 3_000, "first_line_s": 0.3, "accepted_s": 8.25},
    },
    "bulk_1000_orders_x_20_slices": {"accepted_s": 6.5},
    "order_of_10000_slices_over_a_session": {"stored_s": 1, "enqueued_s": 2},
    "order_of_10000_slices_all_within_the_horizon": {"stored_s": 3, "enqueued_s": 4},
    "worker_memory": {"before_mb": [100.0, 101.0], "after_mb": [110.0, 111.0]},
    "idle": {"percent_of_a_core": 7.5, "memory_mb": 790},
}


def test_a_rate_is_one_row_with_the_service_before_the_yardstick() -> None:
    rows = [line for line in table.of(FIGURES).splitlines() if line.startswith("| 100")]
    own = "| 100 | 1.2 / 1,234.5 | 95 | 8.0, 0.5, 8.5 | 1.2 / 1,234.5 | 90 | 9.0"
    assert rows == [f"{own} | 1.2 / 1,234.5 | 100 | 5.0 |"]


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    for part in table.of(FIGURES).split("\n\n")[1:]:
        assert len({line.count("|") for line in part.strip().splitlines()}) == 1, part


def test_what_was_accepted_and_kept_is_told_too() -> None:
    told = table.of(FIGURES)
    assert "91.5/s, p50 200 ms, p99 400 ms" in told
    assert "| 0.3 s, 8.25 s |" in told
    assert "6.5 s" in told
    assert "201 MB, 221 MB" in told
    assert "999, 300 / 1,700 ms, 588/s, 5.9 times the yardstick" in told
    assert "3,000, 300 / 1,700 ms, 405/s, 4.0 times the yardstick" in told
    assert "| 1,000 slices of one due moment, each in another symbol that the account has" in told
    assert "333/s, 3.3 times the yardstick" in told
    assert "5,990 of 6,000, 3.0 / 45.0 ms" in told
    assert "1.2 / 1,234.5; 1.2 / 1,300.0 ms" in told
    assert "7.5 % of a core, 790 MB" in told
    assert "2 cores" in told
    assert "1.5 % stolen" in told
