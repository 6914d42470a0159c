"""Children leave in the hours of their order only, whatever becomes of a session on its day."""

from dataclasses import replace
from datetime import datetime, time

import pytest

from execution.domain.signal import InvalidSignal
from execution.entry import amend, order_controls
from execution.market.calendar import new_york
from execution.market.replay import ReplayMarket
from execution.models import CalendarOverride, Order, PaperOrder
from execution.sending import delivery
from tests.integration.thin_market import TODAY, Trial, context_at, none_of, order_of, trade

pytestmark = pytest.mark.django_db


def at(text: str) -> datetime:
    return new_york(TODAY, time.fromisoformat(text))


def with_new_hours(trial: Trial, **hours: object) -> None:
    """From now on the day has these hours; none: the published ones again."""
    CalendarOverride.objects.filter(day=TODAY).delete()
    if hours:
        CalendarOverride.objects.create(day=TODAY, reason="storm", **hours)
    trial.context = replace(trial.context, market=ReplayMarket(trial.context.config))


def put_off(order: Order) -> list[str]:
    reasons = order.slices.exclude(reason="").values_list("reason", flat=True)
    return [reason.partition(":")[0] for reason in reasons]


@pytest.mark.parametrize(
    "terms",
    [
        {"algorithm": "TWAP", "window_minutes": 120, "slices": 1},
        {"algorithm": "MARKET", "window_minutes": 120},
        {"algorithm": "LIMIT", "limit_price": 900, "window_minutes": 120},
    ],
    ids=lambda terms: terms["algorithm"],
)
@pytest.mark.parametrize("hours", [{"close": time(13)}, {"closed": True}], ids=["short", "closed"])
def test_nothing_leaves_after_a_close_that_was_moved(
    terms: dict[str, object], hours: dict[str, object]
) -> None:
    trade([900.0] * 390)
    context = context_at(at("12:30"))
    order = order_of(context, **terms)
    trial = Trial(order, context, none_of)
    with_new_hours(trial, **hours)
    trial.step(at("13:01"))
    assert (trial.sent, put_off(order)) == ([], ["MARKET_CLOSED"])
    with_new_hours(trial)
    trial.step(at("13:02"))
    assert [child.intent.ticket.extended_hours for child in trial.children] == [False]


def test_an_intent_is_not_sent_again_after_a_close_that_was_moved() -> None:
    trade([900.0] * 390)
    context = context_at(at("12:30"))
    order = order_of(context, algorithm="LIMIT", limit_price=900, quantity=100)
    trial = Trial(order, context, lambda size, minute: None)
    trial.step(at("12:31"))
    with_new_hours(trial, close=time(13))
    part = order.slices.get()
    later = replace(trial.context, now=lambda: at("13:05"))
    delivery.resend(order.pk, part.pk, later, after=part.claim_token, absent=True)
    assert not PaperOrder.objects.exists()
    assert put_off(order) == ["MARKET_CLOSED"]


def all_day() -> Trial:
    """A LIMIT order that works from 08:00 until 20:00, and is at the broker by 10:00."""
    trade([900.0] * 390)
    context = context_at(at("08:00"))
    order = order_of(context, algorithm="LIMIT", limit_price=890, quantity=100, window_minutes=None)
    assert (order.start_at, order.end_at) == (at("08:00"), at("20:00"))
    trial = Trial(order, context, none_of)
    trial.step(at("10:00"))
    return trial


def test_an_order_of_the_whole_day_is_amended_in_the_regular_hours() -> None:
    trial = all_day()
    changes: list[dict[str, object]] = [
        {"quantity": 150},
        {"limit_price": 895},
        {"end_at": at("19:00")},
    ]
    for version, change in enumerate(changes, start=1):
        amended = amend.amend(
            trial.order.pk, change, version=version, by="trader", context=trial.context
        )
    assert (amended.quantity, amended.limit_price, amended.end_at) == (150, 895, at("19:00"))
    too_late = {"end_at": at("20:01")}
    with pytest.raises(InvalidSignal, match="end_at: ends after the session, which closes at"):
        amend.amend(amended.pk, too_late, version=4, by="trader", context=trial.context)


def test_what_a_pause_took_back_works_on_until_the_extended_close() -> None:
    trial = all_day()
    order_controls.pause(trial.order.pk, by="trader", now=at("10:01"))
    trial.hold(at("10:01"))
    order_controls.resume(trial.order.pk, by="trader", now=at("10:02"))
    trial.step(at("10:05"))
    assert [child.intent.ticket.extended_hours for child in trial.children] == [True, True]
