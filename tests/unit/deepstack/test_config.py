"""Where a setting comes from, and what is said about a wrong one."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from deepstack.config import ROOT, Config, ConfigError

SLICES = "EXECUTION__TWAP__DEFAULT_NUM_SLICES"


def test_environment_over_dotenv_over_file_over_default(
    here: type[Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slices() -> int:
        return here.from_env().execution.twap.default_num_slices

    assert slices() == 10
    (tmp_path / "config.yaml").write_text("execution: {twap: {default_num_slices: 11}}")
    assert slices() == 11
    (tmp_path / ".env").write_text(f"{SLICES}=12")
    assert slices() == 12
    monkeypatch.setenv(SLICES, "13")
    assert slices() == 13
    assert here.from_env().execution.twap.default_time_window == 60


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        (SLICES, "0", ["execution.twap.default_num_slices", "'0'", "greater than 0"]),
        (SLICES, "ten", ["execution.twap.default_num_slices", "'ten'", "integer"]),
        ("EXECUTION__TWAP__SLICES", "3", ["execution.twap.slices", "not permitted"]),
        ("EXECUTION__TWAP", "often", ["execution", "SECTION__KEY"]),
        ("TRADING_MODE", "yolo", ["trading_mode", "'yolo'", "'paper' or 'live'"]),
        ("LIMITS__MAX_ORDER_NOTIONAL", "nan", ["limits.max_order_notional", "finite"]),
        ("LIMITS__PRICE_COLLAR", "1.5", ["limits.price_collar", "'1.5'", "less than or equal"]),
        ("PAPER__PARTICIPATION", "0", ["paper.participation", "'0'", "greater than"]),
        ("IBKR__MARKET_DATA_LINES", "0", ["ibkr.market_data_lines", "'0'", "greater than"]),
        ("IBKR__HALTS_FROM_TWS", "often", ["ibkr.halts_from_tws", "'often'", "boolean"]),
        ("IBKR_PORT", "99999", ["ibkr_port", "'99999'", "65535"]),
        ("ACCOUNT", "my account", ["account", "'my account'", "pattern"]),
        ("LOG_LEVEL", "LOUD", ["log_level", "'LOUD'", "'WARNING'"]),
    ],
)
def test_wrong_value_names_key_value_and_what_is_allowed(
    here: type[Config],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    named: list[str],
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    assert [word for word in named if word not in str(refused.value)] == []


def test_values_are_typed_and_frozen(here: type[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "desk.example, 10.0.0.7")
    monkeypatch.setenv("EXECUTION__ROUTING__SMALL_ORDER_THRESHOLD", "12500.50")
    config = here.from_env()
    assert config.allowed_hosts == ["desk.example", "10.0.0.7"]
    assert config.execution.routing.small_order_threshold == Decimal("12500.50")
    with pytest.raises(ValueError, match="frozen"):
        config.trading_mode = "live"


def test_secrets_do_not_show(here: type[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SECRET_KEY", "ALPACA_SECRET_KEY", "FLOWER_BASIC_AUTH"):
        monkeypatch.setenv(variable, "desk:hunter2-hunter2-hunter2-hunter2")
    assert "hunter2" not in repr(here.from_env())


def test_a_command_says_what_is_wrong_and_shows_no_traceback() -> None:
    run = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env={**os.environ, "TRADING_MODE": "practice"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "trading_mode = 'practice'" in run.stderr
    assert "Traceback" not in run.stderr


def test_who_imports_the_package_alone_has_not_chosen_a_folder_yet() -> None:
    """The fork server does, and each process that it makes has a folder of its own."""
    script = "import deepstack, sys; print('deepstack.config' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"


# Each is finite, in range and an address, or the service does not start.
WRONG_VALUES = [
    ("EXECUTION__TWAP__TIMING_RANDOMIZATION", "inf"),
    ("EXECUTION__TWAP__TIMING_RANDOMIZATION", "nan"),
    ("EXECUTION__TWAP__TIMING_RANDOMIZATION", "true"),
    ("EXECUTION__TWAP__DEFAULT_NUM_SLICES", "1_0"),
    ("EXECUTION__TWAP__DEFAULT_NUM_SLICES", "\u0661\u0660"),
    ("LIMITS__MAX_ORDER_NOTIONAL", "2_000"),
    ("EXECUTION__TWAP__DEFAULT_TIME_WINDOW", "99999"),
    ("EXECUTION__TWAP__DEFAULT_NUM_SLICES", "9999999"),
    ("EXECUTION__VWAP__DEFAULT_TIME_WINDOW", "1441"),
    ("EXECUTION__VWAP__DEVIATION_THRESHOLD", "inf"),
    ("EXECUTION__VWAP__DEVIATION_THRESHOLD", "1.5"),
    ("EXECUTION__VWAP__SLICE_MINUTES", "nan"),
    ("EXECUTION__SLIPPAGE__BASE_SPREAD_BPS", "inf"),
    ("EXECUTION__SLIPPAGE__IMPACT_COEFFICIENT", "nan"),
    ("EXECUTION__SLIPPAGE__URGENCY_MULTIPLIER", "0.5"),
    ("EXECUTION__SLIPPAGE__URGENCY_MULTIPLIER", "inf"),
    ("EXECUTION__ROUTING__SMALL_ORDER_THRESHOLD", "nan"),
    ("EXECUTION__ROUTING__LARGE_ORDER_THRESHOLD", "inf"),
    ("EXECUTION__ROUTING__MARKET_WINDOW_SECONDS", "1e300"),
    ("EXECUTION__MONITORING__SLIPPAGE_ALERT_THRESHOLD", "inf"),
    ("EXECUTION__MONITORING__VWAP_DEVIATION_THRESHOLD", "inf"),
    ("EXECUTION__MONITORING__SLOW_EXECUTION_FACTOR", "inf"),
    ("EXECUTION__SCHEDULING__LEASE_SECONDS", "1e300"),
    ("EXECUTION__SCHEDULING__MIN_GAP_SECONDS", "inf"),
    ("EXECUTION__SCHEDULING__QUIET_OPEN_MINUTES", "nan"),
    ("LIMITS__MAX_ORDER_QUANTITY", "99999999999999999999"),
    ("LIMITS__MAX_ORDER_NOTIONAL", "inf"),
    ("LIMITS__MAX_PORTFOLIO_HEAT", "nan"),
    ("LIMITS__ACCOUNT_EQUITY", "0"),
    ("LIMITS__DUPLICATE_SECONDS", "inf"),
    ("MARKET__SIMULATED__DAILY_VOLATILITY", "nan"),
    ("MARKET__SIMULATED__PRICES", '{"AAPL": "nan"}'),
    ("MARKET__SIMULATED__PRICES", '{"AAPL": "0"}'),
    ("MARKET__SIMULATED__PRICES", '{"apple": "150"}'),
    ("PAPER__FAULTS__LATENCY_MS", "nan"),
    ("PAPER__LEVERAGE", "nan"),
    ("IBKR__ANSWER_SECONDS", "inf"),
    ("IBKR_HOST", "two words"),
    ("DATABASE_URL", "nonsense"),
    ("DATABASE_URL", "mysql://host/name"),
    ("DATABASE_URL", "postgresql://host:99999/name"),
    ("DATABASE_URL", "postgresql://host"),
    ("DATABASE_URL", "postgresql://first:port,second:5432/name"),
    ("DATABASE_URL", "postgresql://first:99999,second:5432/name"),
    ("DATABASE_URL", "postgresql://first:5432,/name"),
    ("DATABASE_URL", "postgresql://first:5432,second:5432"),
    ("DATABASE_URL", "postgresql://first,second/name?target_session_attrs=any"),
    ("DATABASE_URL", "postgresql:///name?host=first,second&target_session_attrs=standby"),
    ("REDIS_URL", "nonsense"),
    ("REDIS_URL", "redis://host:port/0"),
    ("REDIS_URL", "redis://host/first"),
    ("REDIS_URL", "rediss://host:6380/0?ssl_cert_reqs=none"),
    ("REDIS_URL", "rediss://host:6380/0?ssl_check_hostname=False"),
    ("REDIS_URL", "rediss://host:6380/0?ssl_cert_reqs=none&ssl_cert_reqs=required"),
    ("ALPACA_BASE_URL", "notaurl"),
    ("ALPACA_BASE_URL", ""),
    ("ALPACA_DATA_URL", "ftp://data.example"),
    ("ALERT_WEBHOOK_URL", "https://"),
    ("ALERT_WEBHOOK_URL", "https://two words"),
    ("ALERT_WEBHOOK_URL", "http://hooks.example/services"),
    ("WEBHOOKS__RECEIVERS__RISK__URL", "http://hooks.example/orders"),
    ("ALLOWED_HOSTS", ""),
    ("ALLOWED_HOSTS", "https://desk.example"),
    ("ALLOWED_HOSTS", "desk.example:8000"),
    ("ALLOWED_HOSTS", '["desk.example"]'),
    ("LOG_FILE", "~nobody-of-this-name/desk.log"),
    ("FLOWER_BASIC_AUTH", "password"),
    ("SECRET_KEY", "secret"),
    ("EXECUTION__SCHEDULING__TICK_SECONDS", "1e-300"),
    ("EXECUTION__SCHEDULING__TICK_SECONDS", "100"),
    ("EXECUTION__SCHEDULING__LEASE_SECONDS", "0.5"),
    ("EXECUTION__POV__PARTICIPATION", "1e-300"),
    ("EXECUTION__VWAP__LARGEST_SLICE", "1e-9"),
    ("IBKR__HEARTBEAT_SECONDS", "1e-300"),
    ("LOG_FILE", ""),
    ("LOG_FILE", "/"),
    ("ALPACA_API_KEY", "two words"),
    ("ALPACA_SECRET_KEY", "caf\u00e9"),
    ("ALPACA_SECRET_KEY", "key\n"),
    ("METRICS_TOKEN", "two words"),
]


@pytest.mark.parametrize(("variable", "value"), WRONG_VALUES)
def test_a_value_that_no_setting_can_have_is_refused_at_the_start(
    here: type[Config], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    assert variable.lower().replace("__", ".") in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "postgresql://user:pass%2Fword@host:5432/name?sslmode=require"),
        ("DATABASE_URL", "postgres://postgres@/postgres?host=/run/postgresql"),
        ("DATABASE_URL", "postgresql://user:pass%2Fword@first:5432,second:5433/name"),
        ("DATABASE_URL", "postgresql://first,second/name?target_session_attrs=primary"),
        ("DATABASE_URL", "postgresql:///name?host=first,second&port=5432,5433"),
        ("REDIS_URL", "rediss://:password@host:6380/1"),
        ("REDIS_URL", "rediss://host:6380/0?ssl_ca_certs=/etc/ca.pem&ssl_cert_reqs=required"),
        ("REDIS_URL", "redis://host"),
        ("REDIS_URL", "unix:///run/redis.sock?db=1"),
        ("ALPACA_BASE_URL", "http://127.0.0.1:8090"),
        ("ALPACA_BASE_URL", "http://[::1]:8090/v2"),
        ("ALERT_WEBHOOK_URL", "https://hooks.example/services/T0/B0"),
        ("ALERT_WEBHOOK_URL", "http://127.0.0.1:9000/alerts"),
        ("ALERT_WEBHOOK_URL", ""),
    ],
)
def test_an_address_that_can_be_reached_is_taken(
    here: type[Config], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert getattr(here.from_env(), variable.lower()) == value


@pytest.mark.parametrize(
    ("variable", "value", "other"),
    [
        (
            "EXECUTION__ROUTING__SMALL_ORDER_THRESHOLD",
            "200000",
            "execution.routing.large_order_threshold = 100000",
        ),
        ("LIMITS__MAX_SLICES", "5", "execution.twap.default_num_slices = 10"),
        (
            "EXECUTION__SCHEDULING__MISSED_GRACE_SECONDS",
            "0.1",
            "execution.scheduling.overdue_grace_seconds = 0.5",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_both_named(
    here: type[Config], monkeypatch: pytest.MonkeyPatch, variable: str, value: str, other: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    assert f"{variable.lower().replace('__', '.')} = {value}" in str(refused.value)
    assert other in str(refused.value)
    assert "must not exceed" in str(refused.value)


@pytest.mark.parametrize("where", ["environment", ".env"])
def test_a_limit_with_one_underscore_is_not_passed_over(
    here: type[Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == ".env":
        (tmp_path / ".env").write_text("LIMITS_MAX_ORDER_NOTIONAL=2000")
    else:
        monkeypatch.setenv("LIMITS_MAX_ORDER_NOTIONAL", "2000")
    with pytest.raises(ConfigError, match="LIMITS__KEY"):
        here.from_env()


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("LIMITS_MAX_POSITION", "LIMITS__KEY"),
        ("LIMIT__MAX_POSITION", "the section is called LIMITS"),
        ("LIMTS__MAX_POSITION", "the section is called LIMITS"),
        ("EXECUTIONS__TWAP__DEFAULT_NUM_SLICES", "the section is called EXECUTION"),
        ("ALERT__CHANNELS__DESK__URL", "the section is called ALERTS"),
        ("MARKETS__SOURCE", "the section is called MARKET"),
        ("MARKET_SOURCE", "MARKET__KEY"),
        ("MARKET_SIMULATED__SEED", "MARKET__KEY"),
        ("PAPER_PARTICIPATION", "PAPER__KEY"),
        ("IBKR_ANSWER_SECONDS", "IBKR__KEY"),
        ("ALERTS_CHANNELS", "ALERTS__KEY"),
        ("LIMITS.MAX_POSITION", "LIMITS__KEY"),
        ("LIMITS-MAX_POSITION", "LIMITS__KEY"),
        ("TRADING_MOD", "TRADING_MODE"),
        ("LIVE_TRADING_CONFIRM", "LIVE_TRADING_CONFIRMED"),
        ("ALPACA_SECRET", "ALPACA_SECRET_KEY"),
        ("IBKR_CLIENTID", "IBKR_CLIENT_ID"),
    ],
)
def test_a_setting_that_is_misspelt_is_not_passed_over(
    here: type[Config], monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(variable, "7")
    with pytest.raises(ConfigError, match=f"{variable}: .*{said}"):
        here.from_env()


@pytest.mark.parametrize(
    "variable",
    [
        "MARKET_REGION",
        "PAPER_SIZE",
        "IBKR_HOST",
        "APP__LIMIT",
        "ALERTMANAGER_URL",
        "__X",
        "ACCOUNTS",
        "DATABASE_URI",
        "TRADING_DESK",
    ],
)
def test_a_variable_of_somebody_else_is_none_of_ours(
    here: type[Config], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "127.0.0.1")
    assert here.from_env().limits.max_position is None


def test_what_is_said_about_a_wrong_address_keeps_its_password(
    here: type[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql:user:hunter2@host/name")
    monkeypatch.setenv("ALERT_WEBHOOK_URL", "htps://hooks.example/services/hunter2")
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "hunter2")
    monkeypatch.setenv("ALERTS__CHANNELS__DESK__URL", "slack:/hunter2")
    monkeypatch.setenv("ALERTS__CHANNELS__DESK__ADDRESS", "slack://hunter2")
    monkeypatch.setenv("ALERTS__CHANNELS__NIGHT", "slack://hunter2")
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    assert "database_url = '***@host/name'" in str(refused.value)
    assert "hunter2" not in str(refused.value)
