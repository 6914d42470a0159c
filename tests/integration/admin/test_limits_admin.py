"""Risk limits and the restricted list in the back office."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from execution.management.roles import ensure_roles
from execution.models import RestrictedSymbol, RiskLimit, RiskLimitChange
from execution.risk import limits

pytestmark = pytest.mark.django_db

LIMITS = "/admin/execution/risklimit/"
RESTRICTED = "/admin/execution/restrictedsymbol/"


def client_of(role: str) -> Client:
    ensure_roles()
    user = User.objects.create_user(f"a-{role}", is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    return client


def history() -> list[tuple[str, str, str, str]]:
    rows = RiskLimitChange.objects.order_by("id")
    return list(rows.values_list("field", "before", "after", "changed_by"))


def test_risk_sets_changes_and_removes_a_limit_and_all_of_it_is_told() -> None:
    risk = client_of("Risk")
    new = {"scope": "SYMBOL", "key": "AAPL", "max_position": "500"}
    assert risk.post(f"{LIMITS}add/", new).status_code == 302
    row = RiskLimit.objects.get()
    page = f"{LIMITS}{row.pk}/"
    form = {"initial-max_position": "500", "max_daily_loss": "1000"}
    assert risk.post(f"{page}change/", form).status_code == 302
    row.refresh_from_db()
    assert (row.max_position, row.max_daily_loss) == (None, 1_000)
    shown = risk.get(f"{page}change/").content.decode()
    assert "a-Risk: max_position from 500 to -" in shown
    assert risk.post(f"{page}delete/", {"post": "yes"}).status_code == 302
    assert history() == [
        ("max_position", "", "500", "a-Risk"),
        ("max_position", "500", "", "a-Risk"),
        ("max_daily_loss", "", "1000.00", "a-Risk"),
        ("max_daily_loss", "1000.00", "", "a-Risk"),
    ]
    assert not RiskLimit.objects.exists()


def test_what_somebody_else_changed_meanwhile_stays() -> None:
    risk = client_of("Risk")
    row = limits.set_limit(scope="SYSTEM", key="", field="max_position", value=500, by="ann")
    page = f"{LIMITS}{row.pk}/change/"
    shown = risk.get(page).context["adminform"].form
    form = {f"initial-{name}": shown[name].value() or "" for name in limits.FIELDS}
    assert 'name="initial-max_daily_loss"' in str(shown["max_daily_loss"])
    limits.set_limit(scope="SYSTEM", key="", field="max_daily_loss", value=9, by="bob")
    form |= {"max_position": "500", "max_open_orders": "7", "max_daily_loss": ""}
    assert risk.post(page, form).status_code == 302
    row.refresh_from_db()
    assert (row.max_position, row.max_open_orders, row.max_daily_loss) == (500, 7, 9)


def test_a_limit_that_two_people_change_at_a_time_is_not_raised_by_the_later_one() -> None:
    """Ann finds 500 and tightens it to 80; Bob has tightened it to 50 meanwhile."""
    risk = client_of("Risk")
    row = limits.set_limit(scope="SYSTEM", key="", field="max_position", value=500, by="ann")
    limits.set_limit(scope="SYSTEM", key="", field="max_position", value=50, by="bob")
    typed = {"initial-max_position": "500", "max_position": "80"}
    for _ in range(2):  # what is refused stays refused until the page is opened again
        answer = risk.post(f"{LIMITS}{row.pk}/change/", typed)
        assert "changed by somebody else since this page was opened" in answer.content.decode()
    row.refresh_from_db()
    assert row.max_position == 50


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"scope": "SYMBOL", "key": "aapl", "max_position": "1"}, "ticker in capitals"),
        ({"scope": "SYSTEM", "key": "x", "max_position": "1"}, "takes no key"),
        ({"scope": "SYSTEM", "max_position": "-1"}, "must be a whole number from 0"),
        ({"scope": "WORLD", "max_position": "1"}, "not one of the available choices"),
        ({"scope": "SYSTEM", "max_position": "1_0"}, "must be a whole number"),
        ({"scope": "SYSTEM", "max_position": "\u0661\u0660"}, "must be a whole number"),
        ({"scope": "SYSTEM", "max_position": "1.0"}, "must be a whole number"),
        ({"scope": "SYSTEM", "max_daily_loss": "1_0"}, "must be a number"),
        ({"scope": "SYSTEM", "max_daily_loss": "1e9"}, "must be a number"),
        ({"scope": "SYSTEM", "max_daily_loss": "nan"}, "Enter a number"),
        ({"scope": "SYSTEM", "max_adv_share": "25"}, "such as 0.25 for a quarter"),
    ],
)
def test_a_wrong_limit_is_explained(values: dict[str, str], said: str) -> None:
    answer = client_of("Risk").post(f"{LIMITS}add/", values)
    assert said in answer.content.decode()
    assert not RiskLimit.objects.exists()


def test_a_scope_has_one_row() -> None:
    risk = client_of("Risk")
    for _ in range(2):
        answer = risk.post(f"{LIMITS}add/", {"scope": "SYSTEM", "max_position": "1"})
    assert "already exists" in answer.content.decode()
    assert RiskLimit.objects.count() == 1


def test_risk_keeps_the_restricted_list() -> None:
    risk = client_of("Risk")
    risk.post(f"{RESTRICTED}add/", {"symbol": "AAPL", "reason": "merger"})
    row = RestrictedSymbol.objects.get()
    assert (row.symbol, row.reason, row.changed_by) == ("AAPL", "merger", "a-Risk")
    risk.post(f"{RESTRICTED}{row.pk}/change/", {"reason": "merger, until May"})
    row.refresh_from_db()
    assert row.reason == "merger, until May"
    everything = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    risk.post(RESTRICTED, everything)
    assert history() == [
        ("restricted", "", "merger", "a-Risk"),
        ("restricted", "merger", "merger, until May", "a-Risk"),
        ("restricted", "merger, until May", "", "a-Risk"),
    ]


def test_a_symbol_is_restricted_for_one_account_beside_everybody() -> None:
    risk = client_of("Risk")
    for account in ("", "growth"):
        words = {"symbol": "AAPL", "account": account, "reason": "merger"}
        assert risk.post(f"{RESTRICTED}add/", words).status_code == 302
    again = {"symbol": "AAPL", "account": "growth", "reason": "once more"}
    assert "already exists" in risk.post(f"{RESTRICTED}add/", again).content.decode()
    row = RestrictedSymbol.objects.get(account="growth")
    assert (
        "a-Risk: restricted AAPL from" in risk.get(f"{RESTRICTED}{row.pk}/change/").content.decode()
    )
    risk.post(f"{RESTRICTED}{row.pk}/delete/", {"post": "yes"})
    assert [str(each) for each in RestrictedSymbol.objects.all()] == ["AAPL"]
    assert history()[-1] == ("restricted AAPL", "merger", "", "a-Risk")
    wrong = {"symbol": "AAPL", "account": "no such name!", "reason": "merger"}
    assert risk.post(f"{RESTRICTED}add/", wrong).status_code == 200
    assert RestrictedSymbol.objects.count() == 1


@pytest.mark.parametrize(
    ("page", "typed", "warned"),
    [
        (LIMITS, {"scope": "ACCOUNT", "key": "groth", "max_position": "1"}, "the account"),
        (LIMITS, {"scope": "STRATEGY", "key": "momntum", "max_position": "1"}, "the strategy"),
        (LIMITS, {"scope": "SYSTEM", "max_position": "1"}, ""),
        (RESTRICTED, {"symbol": "AAPL", "account": "groth", "reason": "merger"}, "the account"),
        (RESTRICTED, {"symbol": "AAPL", "reason": "merger"}, ""),
    ],
)
def test_what_bounds_nobody_yet_says_so(page: str, typed: dict[str, str], warned: str) -> None:
    shown = client_of("Risk").post(f"{page}add/", typed, follow=True).content.decode()
    assert (f"Saved, but no order has ever had {warned}" in shown) == bool(warned)


@pytest.mark.parametrize("role", ["Viewer", "Trader"])
@pytest.mark.parametrize("page", [LIMITS, RESTRICTED])
def test_others_only_look(role: str, page: str) -> None:
    row = limits.set_limit(scope="SYSTEM", key="", field="max_position", value=500, by="ann")
    listed = limits.restrict(symbol="AAPL", reason="merger", by="ann")
    known = row.pk if page == LIMITS else listed.pk
    client = client_of(role)
    assert client.get(page).status_code == 200
    assert client.get(f"{page}{known}/change/").status_code == 200
    assert client.post(f"{page}add/", {}).status_code == 403
    assert client.post(f"{page}{known}/change/", {"max_position": "1"}).status_code == 403
    assert client.post(f"{page}{known}/delete/", {"post": "yes"}).status_code == 403
    assert len(history()) == 2
