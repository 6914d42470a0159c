"""Each term of a signal tells two orders under one reference apart."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from execution.domain.order_terms import differences, terms_of
from execution.domain.signal import Signal

SIGNAL = Signal(symbol="AAPL", side="BUY", quantity=100, client_reference="r-1")
TERMS = [field.name for field in fields(Signal) if field.name != "client_reference"]


@pytest.mark.parametrize("name", TERMS)
def test_another_value_of_any_term_is_named(name: str) -> None:
    other = replace(SIGNAL, **{name: "another"})
    (said,) = differences(terms_of(SIGNAL), terms_of(other))
    assert said.startswith("window_minutes was " if name == "window" else f"{name} was ")
    assert said.endswith(", is another")


def test_the_reference_is_no_term() -> None:
    other = replace(SIGNAL, client_reference="r-2")
    assert differences(terms_of(SIGNAL), terms_of(other)) == []


def test_moments_are_told_in_exchange_time() -> None:
    other = replace(SIGNAL, end_at=datetime(2026, 11, 27, 17, tzinfo=UTC))
    (said,) = differences(terms_of(SIGNAL), terms_of(other))
    assert said == "end_at was not given, is 2026-11-27 12:00:00 ET"
