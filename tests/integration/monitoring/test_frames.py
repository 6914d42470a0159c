"""Orders, slices, fills and costs as pandas frames."""

import asyncio
import re
from datetime import date, timedelta

import pandas as pd
import pytest

from deepstack.config import ROOT
from monitoring.cost_report import figures, report
from monitoring.cost_report.period import Period
from monitoring.frames import SOURCES, to_frame
from tests.integration.monitoring.rows import NOON, filled, working
from tests.integration.monitoring.test_cost_report import a_week

pytestmark = pytest.mark.usefixtures("at_noon")
FIRST = (NOON - timedelta(days=6)).date()


@pytest.mark.django_db
def test_numbers_are_floats_and_times_have_their_zone() -> None:
    a_week()
    live = working()
    orders = to_frame("orders", first=FIRST)
    assert len(orders) == 9
    assert orders.index.name == "id"
    assert orders["filled_notional"].dtype == "float64"
    assert orders["quantity"].dtype == "int64"
    assert str(orders["finished_at"].dt.tz) == "UTC"
    assert pd.isna(orders.loc[live.pk, "finished_at"])
    assert pd.isna(orders.loc[live.pk, "limit_price"])


@pytest.mark.django_db
def test_costs_and_parts_come_with_their_order_s_terms() -> None:
    a_week()
    costs = to_frame("costs", first=FIRST)
    by_strategy = costs.groupby("strategy")["arrival_bps"].mean()
    assert list(by_strategy.index) == ["s0", "s1", "s2"]
    assert costs["arrival_bps"].dtype == "float64"
    for what in ("slices", "fills"):
        frame = to_frame(what, first=FIRST)
        assert {"order_id", "symbol", "strategy", "side"} <= set(frame.columns)
        assert len(frame) == 8
    fills = to_frame("fills", first=FIRST)
    assert (fills["quantity"] * fills["price"]).sum() == pytest.approx(
        to_frame("orders", first=FIRST)["filled_notional"].sum()
    )


@pytest.mark.django_db
@pytest.mark.parametrize("what", SOURCES)
def test_no_rows_are_an_empty_frame_of_the_same_columns(what: str) -> None:
    empty = to_frame(what, first="2020-01-01", last="2020-01-31")
    assert empty.empty
    a_week()
    full = to_frame(what, first=FIRST)
    assert list(empty.columns) == list(full.columns)
    assert {name: str(kind) for name, kind in empty.dtypes.items() if "int" in str(kind)} == {
        name: str(kind) for name, kind in full.dtypes.items() if "int" in str(kind)
    }


@pytest.mark.django_db
def test_one_account_and_one_day() -> None:
    a_week()
    second = filled("150.00", account="second")
    assert list(to_frame("orders", account="second").index) == [second.pk]
    assert len(to_frame("orders", first=FIRST, last=FIRST)) == 0
    assert len(to_frame("orders", last=NOON.date())) == 3


@pytest.mark.django_db
def test_the_example_of_the_documentation_works(capsys: pytest.CaptureFixture[str]) -> None:
    a_week()
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "tca.md").read_text(), re.S)
    found: dict[str, pd.Series[float]] = {}
    exec(example, found)  # noqa: S102  our own page
    month = report.of(Period(date(2026, 2, 1), date(2026, 3, 2)), by="strategy")
    for name, group in month.groups:
        mean = figures.mean("arrival", group)
        assert found["by_strategy"][name] == pytest.approx(mean, abs=0.01)
    assert "s0" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_it_works_where_an_event_loop_runs() -> None:
    filled("150.00")

    async def cell() -> pd.DataFrame:
        return to_frame("orders")

    assert len(asyncio.run(cell())) == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"what": "trades"}, "what: one of orders, slices, fills, costs"),
        ({"what": "orders", "first": "2026-02-30"}, "first: must be"),
        ({"what": "orders", "first": "2026-03-02", "last": "2026-03-01"}, "last: must not be"),
    ],
)
@pytest.mark.django_db
def test_what_is_asked_wrongly_is_named(asked: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        to_frame(**asked)
