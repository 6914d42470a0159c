"""A second factor: asked of whom it is required of, good once, and never asked for a halt."""

import json
import re
from base64 import b32decode
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import F
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from deepstack import config
from deepstack.web import login_throttle
from execution.access import login_gate, recovery_codes, second_factor
from execution.management import operator
from execution.management.roles import ensure_roles
from execution.models import RecoveryCode, SecondFactorChange, TradingState
from tests.second_factor import code, enrolled

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]
# A halt is committed before it waits.
committed = pytest.mark.django_db(transaction=True)

PASSWORD = "a long pass phrase"
PAGE = "/admin/second-factor/"
ENROL = f"{PAGE}enrol/"
HALT_ALL = "/admin/execution/tradingstate/halt-all/"
SET = "/admin/execution/tradingstate/set/"
FAR = 100  # steps of 30 s: no clock is so wrong


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """On paper, too, so that nothing else of live trading is needed here."""
    login_throttle.throttle.forget()
    monkeypatch.setenv("CONTROLS__SECOND_FACTOR", "always")
    config.current.cache_clear()
    yield
    monkeypatch.undo()
    config.current.cache_clear()
    login_throttle.throttle.forget()


def person(role: str = "Risk", name: str = "eve") -> User:
    ensure_roles()
    user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def logged_in(name: str = "eve") -> Client:
    """By the page, with a password alone."""
    client = Client()
    answer = client.post("/admin/login/", {"username": name, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def in_office(client: Client) -> bool:
    return bool(client.get("/admin/execution/order/").status_code == 200)


def give(client: Client, text: str, address: str = PAGE) -> str:
    """What the page says to a code; empty when it leads on."""
    answer = client.post(address, {"code": text})
    return "" if answer.status_code == 302 else answer.content.decode()


def token(text: str | None = None, name: str = "eve") -> tuple[int, dict[str, str]]:
    asked = {"username": name, "password": PASSWORD, **({} if text is None else {"code": text})}
    answer = APIClient().post("/api/v1/token/", asked, format="json")
    return answer.status_code, answer.json()


def by_token(key: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    return client


def enrol(client: Client) -> tuple[str, list[str]]:
    """The key in hex, as the page shows it in letters, and the recovery codes."""
    page = client.get(ENROL).content.decode()
    assert "<svg" in page
    shown = re.search(r'class="ds-secret">([A-Z2-7 ]+)<', page)
    assert shown is not None
    key = b32decode(shown[1].replace(" ", "")).hex()
    answer = client.post(ENROL, {"code": code(key)})
    return key, re.findall(r"<code>([A-Z2-7-]{19})</code>", answer.content.decode())


def test_a_password_alone_opens_nothing_but_the_way_to_a_code() -> None:
    enrolled(person())
    client = logged_in()
    answer = client.get("/admin/execution/order/?status=FILLED")
    assert answer.status_code == 302
    assert answer["Location"] == f"{PAGE}?next=%2Fadmin%2Fexecution%2Forder%2F%3Fstatus%3DFILLED"
    assert client.get("/admin/password_change/").status_code == 302
    refused = client.get("/api/v1/orders/")
    assert (refused.status_code, refused.json()["code"]) == (403, login_gate.CODE_WANTED)
    assert client.get(PAGE).status_code == 200


@pytest.mark.parametrize("role", ["Viewer", "Trader"])
def test_who_loosens_nothing_is_not_asked(role: str) -> None:
    person(role)
    assert in_office(logged_in())
    assert token()[0] == 200


def test_whoever_has_enrolled_is_asked_whatever_the_role() -> None:
    device = enrolled(person("Trader"))
    client = logged_in()
    assert not in_office(client)
    assert give(client, code(device.key)) == ""
    assert in_office(client)


def test_a_person_enrols_at_the_first_login_and_is_asked_at_the_next() -> None:
    person()
    first = logged_in()
    assert first.get(PAGE)["Location"] == ENROL
    key, codes = enrol(first)
    assert in_office(first)
    assert len(set(codes)) == recovery_codes.COUNT
    second = logged_in()
    assert "not the code of now" in give(second, code(key))  # it has enrolled
    assert not in_office(second)
    answer = second.post(f"{PAGE}?next=/admin/execution/slice/", {"code": code(key, steps=1)})
    assert answer["Location"] == "/admin/execution/slice/"
    assert in_office(second)


def test_it_leads_to_no_page_of_somebody_else() -> None:
    device = enrolled(person())
    answer = logged_in().post(f"{PAGE}?next=https://evil.example/", {"code": code(device.key)})
    assert answer["Location"] == "/admin/"


@pytest.mark.parametrize(
    "wrong", ["", "12345", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666", "-12345"]
)
def test_what_is_no_code_of_the_phone_enrols_nothing(wrong: str) -> None:
    person()
    client = logged_in()
    client.get(ENROL)
    client.post(ENROL, {"code": wrong})
    assert not TOTPDevice.objects.exists()
    assert not RecoveryCode.objects.exists()


def test_a_code_is_good_once_in_every_door() -> None:
    device = enrolled(person())
    now = code(device.key)
    assert give(logged_in(), now) == ""
    assert "used already" in give(logged_in(), now)
    status, told = token(now)
    assert status == 400
    assert "used already" in str(told["errors"])


@pytest.mark.parametrize(("steps", "taken"), [(1, True), (FAR, False), (-FAR, False)])
def test_a_clock_may_be_one_step_off(steps: int, *, taken: bool) -> None:
    device = enrolled(person())
    client = logged_in()
    give(client, code(device.key, steps=steps))
    assert in_office(client) is taken


def test_a_recovery_code_is_good_once_and_shown_nowhere_again() -> None:
    person()
    client = logged_in()
    _, codes = enrol(client)
    other = logged_in()
    assert give(other, codes[3].lower().replace("-", " ")) == ""
    assert in_office(other)
    assert give(logged_in(), codes[3]) != ""
    assert codes[4] not in client.get(PAGE).content.decode()
    assert "left: 9 of 10" in client.get(PAGE).content.decode()
    kinds = list(SecondFactorChange.objects.values_list("kind", flat=True).order_by("pk"))
    assert kinds == ["ENROLLED", "RECOVERY_CODE_USED"]


def test_new_recovery_codes_take_a_code_and_end_the_others() -> None:
    person()
    client = logged_in()
    key, codes = enrol(client)
    assert "not the code of now" in give(client, "000000", f"{PAGE}codes/")
    page = give(client, code(key, steps=1), f"{PAGE}codes/")
    renewed = re.findall(r"<code>([A-Z2-7-]{19})</code>", page)
    assert len(renewed) == recovery_codes.COUNT
    assert give(logged_in(), codes[0]) != ""
    assert give(logged_in(), renewed[0]) == ""


def test_another_phone_takes_a_code_of_the_one_before() -> None:
    person()
    client = logged_in()
    key, codes = enrol(client)
    page = client.get(ENROL).content.decode()
    shown = re.search(r'class="ds-secret">([A-Z2-7 ]+)<', page)
    assert shown is not None
    other = b32decode(shown[1].replace(" ", "")).hex()
    for proof in ("", "000000"):
        client.post(ENROL, {"code": code(other), "proof": proof})
        assert TOTPDevice.objects.get().key == key
    answer = client.post(ENROL, {"code": code(other), "proof": codes[0]})
    assert "Write these down now" in answer.content.decode()
    assert TOTPDevice.objects.get().key == other
    assert in_office(client)
    assert "not the code of now" in give(logged_in(), code(key, steps=1))


def test_a_password_alone_enrols_no_second_phone() -> None:
    device = enrolled(person())
    client = logged_in()
    page = client.get(ENROL).content.decode()
    shown = re.search(r'class="ds-secret">([A-Z2-7 ]+)<', page)
    assert shown is not None
    other = b32decode(shown[1].replace(" ", "")).hex()
    client.post(ENROL, {"code": code(other), "proof": code(other)})
    assert TOTPDevice.objects.get() == device
    assert not in_office(client)


@committed
def test_a_halt_takes_a_password_and_a_resume_a_code() -> None:
    device = enrolled(person())
    client = logged_in()
    assert client.get(HALT_ALL).status_code == 200
    assert client.post(HALT_ALL, {"reason": "runaway"}).status_code == 302
    assert TradingState.objects.get().state == "HALTED"
    resume = {"scope": "SYSTEM", "key": "", "state": "ACTIVE", "reason": "over"}
    assert client.post(SET, resume)["Location"].startswith(PAGE)
    client.post("/admin/execution/tradingstate/resume-all/", {"reason": "over"})
    assert TradingState.objects.get().state == "HALTED"
    assert give(client, code(device.key)) == ""
    client.post(SET, resume)
    assert TradingState.objects.get().state == "ACTIVE"
    client = logged_in()
    client.post(SET, {**resume, "scope": "SYMBOL", "key": "AAPL", "state": "HALTED"})
    assert TradingState.objects.get(scope="SYMBOL").state == "HALTED"


@committed
def test_a_halt_over_the_api_takes_a_password_alone() -> None:
    user = person()
    key = Token.objects.create(user=user).key  # of before
    halt = {"scope": "SYSTEM", "key": "", "reason": "runaway"}
    for client in (by_token(key), logged_in()):
        assert client.get("/api/v1/orders/").status_code in (401, 403)
        answer = client.post("/api/v1/halt/", json.dumps(halt), content_type="application/json")
        assert answer.status_code == 200, answer.content
        answer = client.post("/api/v1/resume-trading/", halt)
        assert answer.status_code in (401, 403)
    assert TradingState.objects.get().state == "HALTED"


def test_a_token_takes_a_code() -> None:
    user = person()
    status, told = token()
    assert status == 400
    assert "is needed" in str(told["errors"])
    assert "enrol" in str(token("123456")[1]["errors"])
    device = enrolled(user)
    assert token(code(device.key, steps=FAR))[0] == 400
    assert not Token.objects.exists()
    status, told = token(code(device.key))
    assert status == 200
    assert by_token(told["token"]).get("/api/v1/orders/").status_code == 200


def test_a_wrong_password_consumes_no_code() -> None:
    device = enrolled(person())
    asked = {"username": "eve", "password": "no", "code": code(device.key)}
    assert APIClient().post("/api/v1/token/", asked, format="json").status_code == 400
    assert token(code(device.key))[0] == 200


def test_enrolling_ends_the_token_of_before() -> None:
    user = person("Trader")
    key = token()[1]["token"]
    assert by_token(key).get("/api/v1/orders/").status_code == 200
    enrol(logged_in())
    assert by_token(key).get("/api/v1/orders/").status_code == 401
    assert not Token.objects.filter(user=user).exists()


def test_the_command_line_takes_no_token_of_a_password_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = person()
    monkeypatch.setenv(operator.VARIABLE, Token.objects.create(user=user).key)
    with pytest.raises(operator.NotShown, match="for a password alone"):
        operator.person("eve", "execution.change_tradingstate")
    enrolled(user)
    assert operator.person("eve", "execution.change_tradingstate").get_username() == "eve"


def test_no_superuser_hands_out_the_token_of_somebody_else() -> None:
    user = person()
    root = User.objects.create_superuser("root", password=PASSWORD)
    device = enrolled(root)
    client = logged_in("root")
    assert give(client, code(device.key)) == ""
    answer = client.post("/admin/authtoken/tokenproxy/add/", {"user": user.pk})
    assert "takes a code of this person" in answer.content.decode()
    assert not Token.objects.exists()
    assert client.get("/admin/otp_totp/totpdevice/").status_code == 404
    assert device.key not in client.get("/admin/auth/user/").content.decode()


def test_wrong_codes_make_an_address_wait_and_then_the_person() -> None:
    device = enrolled(person())
    client = logged_in()
    for _ in range(login_throttle.MOST_OF_NAME):
        assert "not the code of now" in give(client, "000000")
    assert "too many failed logins" in give(client, code(device.key))
    login_throttle.throttle.forget()  # from another address
    assert "the next is looked at in" in give(client, code(device.key))
    assert not in_office(client)
    past = F("throttling_failure_timestamp") - second_factor.LONGEST_WAIT
    TOTPDevice.objects.update(throttling_failure_timestamp=past)
    assert give(client, code(device.key)) == ""
    assert TOTPDevice.objects.get().throttling_failure_count == 0


@committed
def test_who_is_made_to_wait_gets_in_by_a_recovery_code_and_halts_at_once() -> None:
    person()
    _, codes = enrol(logged_in())
    TOTPDevice.objects.update(
        throttling_failure_count=50, throttling_failure_timestamp=timezone.now()
    )
    client = logged_in()
    assert client.post(HALT_ALL, {"reason": "runaway"}).status_code == 302
    assert TradingState.objects.get().state == "HALTED"
    assert give(client, codes[0]) == ""
    assert in_office(client)


def test_a_device_that_is_gone_verifies_no_session() -> None:
    device = enrolled(person("Trader"))
    client = logged_in()
    assert give(client, code(device.key)) == ""
    enrolled(User.objects.get(username="eve"))
    device.delete()
    assert not in_office(client)
