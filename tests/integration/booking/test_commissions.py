"""A fill and its order have the commission that the broker reported last."""

from dataclasses import replace
from decimal import Decimal

import pytest

from execution import context as contexts
from execution.booking import execution_reports
from execution.domain.lifecycle import SliceStatus
from execution.models import Fill
from tests.integration.order_steps import claim, execution, new_order, receive, report

pytestmark = pytest.mark.django_db


def test_a_second_commission_report_with_another_amount_is_followed_and_told() -> None:
    order = new_order(parts=1)
    intent = claim(order.slices.get())
    assert intent is not None
    first = execution(intent, "1", 1_000)
    reports = [replace(first, commission=amount) for amount in (None, Decimal(5), Decimal(3))]
    for each in [*reports, reports[-1], reports[0]]:
        news = [report(intent, SliceStatus.FILLED, [each])]
        assert execution_reports.book_reports(news, contexts.default())
    order.refresh_from_db()
    assert (Fill.objects.get(order=order).commission, order.commission) == (3, 3)
    told = order.events.filter(kind="COMMISSION").order_by("id")
    assert [(e.data["commission"], e.data.get("before")) for e in told] == [
        ("5", None),
        ("3", "5.000000"),
    ]


def test_the_same_report_again_tells_nothing() -> None:
    order = new_order(parts=1)
    intent = claim(order.slices.get())
    assert intent is not None
    for _ in range(2):
        receive(intent, report(intent, SliceStatus.FILLED, [execution(intent, "1", 1_000)]))
    assert not order.events.filter(kind="COMMISSION").exists()


def test_a_report_that_no_column_holds_keeps_no_other_from_being_booked() -> None:
    intents = [claim(new_order(parts=1).slices.get()) for _ in range(2)]
    first, second = (intent for intent in intents if intent is not None)
    absurd = replace(execution(first, "1", 1_000), commission=Decimal(10) ** 13)
    news = [
        report(first, SliceStatus.FILLED, [absurd]),
        report(second, SliceStatus.FILLED, [execution(second, "1", 1_000)]),
    ]
    assert not execution_reports.book_reports(news, contexts.default())
    assert list(Fill.objects.values_list("slice", flat=True)) == [second.part.pk]
