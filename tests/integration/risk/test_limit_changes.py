"""Who may change a limit to what, and what stays on record."""

from decimal import Decimal as D

import pytest

from execution.models import RiskLimit, RiskLimitChange
from execution.risk import limits
from tests.integration.risk.test_limits import limit, restrict

pytestmark = pytest.mark.django_db


def test_every_change_of_a_limit_leaves_who_and_from_what_to_what() -> None:
    limit("max_position", 500)
    limit("max_position", 300)
    limit("max_position", 300)
    limit("max_position", None)
    restrict()
    limits.lift(symbol="AAPL", by="bob")
    limits.lift(symbol="AAPL", by="bob")
    told = RiskLimitChange.objects.order_by("id")
    assert [
        (row.scope, row.key, row.field, row.before, row.after, row.changed_by) for row in told
    ] == [
        ("SYSTEM", "", "max_position", "", "500", "ann"),
        ("SYSTEM", "", "max_position", "500", "300", "ann"),
        ("SYSTEM", "", "max_position", "300", "", "ann"),
        ("SYMBOL", "AAPL", "restricted", "", "merger talks", "ann"),
        ("SYMBOL", "AAPL", "restricted", "merger talks", "", "bob"),
    ]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"scope": "WORLD"}, "scope must be one of SYSTEM, ACCOUNT, STRATEGY, SYMBOL"),
        ({"key": "x"}, "SYSTEM takes no key"),
        ({"scope": "SYMBOL", "key": "aapl"}, "ticker in capitals"),
        ({"field": "max_fun"}, "field must be one of max_order_quantity"),
        ({"value": -1}, "max_position: .*-1"),
        ({"value": "many"}, "max_position: .*many"),
        ({"value": 1.5}, "max_position: must be a whole number"),
        ({"value": True}, "max_position: must be a whole number"),
        ({"field": "max_daily_loss", "value": D("NaN")}, "max_daily_loss: must be a number"),
        ({"field": "max_adv_share", "value": D(25)}, "max_adv_share: must be a share up to 1"),
        ({"by": " "}, "name of the person"),
    ],
)
def test_a_wrong_limit_is_refused_and_nothing_is_stored(
    change: dict[str, object], named: str
) -> None:
    right = {"scope": "SYSTEM", "key": "", "field": "max_position", "value": 1, "by": "ann"}
    with pytest.raises(ValueError, match=named):
        limits.set_limit(**right | change)  # type: ignore[arg-type]
    assert not RiskLimit.objects.exists()
    assert not RiskLimitChange.objects.exists()
