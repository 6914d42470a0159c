"""Of whom a code is asked, and how long a guesser waits."""

from dataclasses import dataclass

import pytest

from deepstack.config import Config
from execution.access import recovery_codes, second_factor

pytestmark = pytest.mark.any_date


@dataclass(frozen=True)
class Person:
    is_superuser: bool = False
    may: str = ""

    def has_perm(self, permission: str) -> bool:
        return self.is_superuser or permission == self.may


TRADER = Person(may="execution.submit_order")
RISK = Person(may="execution.change_tradingstate")


@pytest.mark.parametrize(
    ("setting", "mode", "person", "required"),
    [
        ("live", "live", Person(is_superuser=True), True),
        ("live", "live", RISK, True),
        ("live", "live", Person(may="execution.change_risklimit"), True),
        ("live", "live", Person(may="execution.change_brokerdifference"), True),
        ("live", "live", Person(may="auth.change_user"), True),
        ("live", "live", Person(may="auth.change_group"), True),
        ("live", "live", TRADER, False),
        ("live", "paper", RISK, False),
        ("live", "paper", Person(is_superuser=True), False),
        ("always", "paper", RISK, True),
        ("always", "paper", TRADER, False),
        ("never", "live", Person(is_superuser=True), False),
    ],
)
def test_who_needs_a_second_factor(
    setting: str, mode: str, person: Person, *, required: bool
) -> None:
    config = Config.model_validate({"trading_mode": mode, "controls": {"second_factor": setting}})
    assert second_factor.required_of(person, config) is required


def test_live_trading_asks_for_it_unless_told_otherwise() -> None:
    assert second_factor.required_of(RISK, Config.model_validate({"trading_mode": "live"}))


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (4, 0), (5, 4), (6, 8), (10, 128), (12, 512), (13, 900), (1_000_000, 900)],
)
def test_wrong_codes_make_the_next_wait(failures: int, seconds: int) -> None:
    assert second_factor.wait_after(failures).total_seconds() == seconds


def test_a_secret_is_shown_in_groups_that_an_app_reads() -> None:
    secret = second_factor.Secret("3132333435363738393031323334353637383930")
    assert secret.readable == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"


def test_a_code_is_shown_in_groups() -> None:
    assert recovery_codes.in_groups("ABCDEFGHIJKLMNOP") == "ABCD-EFGH-IJKL-MNOP"
