"""Typed configuration: environment over `.env` over `config/config.yaml` over the defaults below.

A nested key is written `EXECUTION__TWAP__DEFAULT_NUM_SLICES` in the environment.
"""

import os
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)
from yaml import YAMLError

from deepstack import config_files, config_rules, config_urls
from deepstack.config_alerts import Alerts
from deepstack.config_breakers import Breakers
from deepstack.config_controls import Controls
from deepstack.config_forecast import Forecast
from deepstack.config_growth import Archive, Disk
from deepstack.config_ibkr import Ibkr
from deepstack.config_market import Market
from deepstack.config_observability import Observability
from deepstack.config_paper import Paper
from deepstack.config_single_sign_on import SingleSignOn
from deepstack.config_types import (
    PRINTED,
    Bps,
    Count,
    DatabaseUrl,
    Deviation,
    HeaderSecret,
    HttpUrl,
    LogFile,
    Minutes,
    Money,
    OptionalPrivateUrl,
    Positive,
    PositiveMinutes,
    PositiveMoney,
    PositiveSeconds,
    RedisUrl,
    Seconds,
    Section,
    Share,
    Shares,
    SliceCount,
)
from deepstack.config_webhooks import Webhooks

LEAST_SECRET = 32  # characters
CODE = Path(__file__).resolve().parent.parent


def home() -> Path:
    """The folder of `.env`, `config/`, `logs/` and `var/`: DEEPSTACK_HOME, else the checkout that
    the code runs from, else (the package is installed) the current folder."""
    if chosen := os.environ.get("DEEPSTACK_HOME"):
        return Path(os.path.expanduser(chosen)).resolve()
    return CODE if (CODE / "manage.py").exists() else Path.cwd()


ROOT = home()


class ConfigError(ValueError):
    """A setting is missing or wrong; the text names the key, the value and what is allowed."""


class Twap(Section):
    default_time_window: Minutes = 60
    default_num_slices: SliceCount = 10
    timing_randomization: Seconds = 30.0  # either way


class Vwap(Section):
    default_time_window: Minutes = 120
    slice_minutes: PositiveMinutes = 5.0
    min_slices: SliceCount = 10  # in windows shorter than that many slices would need
    # Orders that say no number of slices are cut finer where volume is fast: by slices of
    # `shortest_slice_minutes` in the last `closing_minutes` of a session, and wherever one would
    # hold more than `largest_slice` of the order; never into fewer than `smallest_cut` shares.
    shortest_slice_minutes: PositiveMinutes = 1.0
    closing_minutes: Annotated[float, Field(ge=0, le=60)] = 10.0
    largest_slice: Share = Decimal("0.01")
    smallest_cut: Shares = 100
    # Of VWAP orders of whose symbol nothing was learned, a share of the market VWAP: an alert.
    deviation_threshold: Deviation = 0.01
    dynamic: bool = True  # where a profile was learned, slices follow the volume seen today
    forecast: Forecast = Forecast()


class Pov(Section):
    participation: Share = Decimal("0.10")  # of the market's volume, unless the order says else
    # How far above its part of what has traded the last child of a window that ends at the close
    # may go, for what will trade while it works; never beyond the order's `max_participation`.
    close_allowance: Annotated[float, Field(ge=0, le=1)] = 0.25


class ImplementationShortfall(Section):
    risk_aversion: Annotated[float, Field(ge=0, le=1)] = 1e-6  # per dollar


class Residual(Section):
    """Used where an order names no `residual_minutes` or `max_extensions`."""

    force_share: Share = Decimal("0.10")  # of the window, at its end
    close_minutes: PositiveMinutes = 5.0  # before the regular close
    tries: Annotated[int, Field(gt=0, le=100)] = (
        3  # prices that a forced rest is offered at, one after the other
    )
    extend_share: Share = Decimal("0.25")  # of the window, for each extension
    max_extensions: Annotated[int, Field(gt=0, le=100)] = 2


def _named_default_before(model: object) -> object:
    """The guide's formula was called `default` as long as it was the default."""
    return "guide" if model == "default" else model


class Slippage(Section):
    base_spread_bps: Annotated[float, Field(ge=0, le=10_000)] = 5.0
    impact_coefficient: Annotated[float, Field(ge=0, le=100)] = 0.1
    urgency_multiplier: Annotated[float, Field(ge=1, le=100)] = 1.5
    # The model of expected costs: docs/algorithms.md, "Estimates".
    model: Annotated[
        Literal["almgren", "square_root", "guide"], BeforeValidator(_named_default_before)
    ] = "almgren"
    # The coefficients that `manage.py calibrate_slippage` adopted take the place of those above.
    calibrated: bool = False
    # Shares outstanding in days of average volume, for the model `almgren`.
    shares_outstanding_days: Annotated[float, Field(gt=0, le=1_000_000)] = 200.0


class Routing(Section):
    # How the algorithm is chosen of orders that leave it open: by the thresholds, or by what each
    # is expected to cost, with so much of the deviation that the price's own moves may give it.
    mode: Literal["guide", "cost"] = "guide"
    risk_weight: Annotated[float, Field(ge=0, le=10)] = 0.1
    small_order_threshold: Money = Decimal(10_000)
    large_order_threshold: Money = Decimal(100_000)
    urgent_tolerance_bps: Bps = Decimal(50)  # how far beyond the far touch an urgent child may pay
    child_tolerance_bps: Bps = Decimal(10)  # the same for the slices of TWAP and VWAP
    # An urgent order's rest is cancelled after this, in real time.
    market_window_seconds: PositiveSeconds = 60.0


class Monitoring(Section):
    slippage_alert_threshold: Annotated[float, Field(gt=0, le=10_000)] = 20.0  # bps
    # The same of orders of the other algorithms.
    vwap_deviation_threshold: Deviation = 0.01
    # Of the others: so many times what is typical of the symbol. None: the threshold is for all.
    vwap_deviation_multiple: Annotated[float, Field(gt=0, le=1_000)] | None = 4.0
    failed_order_threshold: Positive = 3
    behind_schedule_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.1  # of the shares ordered
    slow_execution_factor: Annotated[float, Field(ge=1, le=1_000)] = 1.5  # of the planned window


class Scheduling(Section):
    horizon_seconds: PositiveSeconds = 120.0  # slices due later than this stay out of Redis
    tick_seconds: Annotated[float, Field(ge=0.01, le=5)] = 0.25
    # Longer than any broker call may take: a claim whose lease is over is not sent.
    lease_seconds: Annotated[float, Field(ge=2, le=86_400)] = 30.0
    overdue_grace_seconds: PositiveSeconds = 0.5  # an unclaimed slice is published again after this
    missed_grace_seconds: PositiveSeconds = 10.0  # later than this, a slice is left to the catch-up
    min_life_seconds: PositiveSeconds = 2.0  # a child works at least this long
    defer_seconds: PositiveSeconds = 1.0  # a slice that may not trade now is tried again after this
    poll_seconds: PositiveSeconds = 0.5  # how often the broker is asked for executions
    min_gap_seconds: Seconds = 0.0  # between two children of one parent
    # Minutes after the open and before the close in which no order is worked over time.
    quiet_open_minutes: Annotated[float, Field(ge=0, le=60)] = 0.0
    quiet_close_minutes: Annotated[float, Field(ge=0, le=60)] = 0.0
    max_sends_per_minute: Positive = 6_000  # of one parent, retries included
    max_permanent_rejects: Positive = 3  # in a row; then the parent is paused
    set_size: Positive = 20  # slices that a worker claims, or records, by one transaction; 1: each


class Comparison(Section):
    """Of our records with the broker's."""

    cash_tolerance: Money = Decimal(100)  # dollars; fees and interest are not booked per fill
    # An order of somebody else halts its symbol, until a person resumes it.
    halt_external_symbols: bool = True


class Execution(Section):
    twap: Twap = Twap()
    vwap: Vwap = Vwap()
    pov: Pov = Pov()
    implementation_shortfall: ImplementationShortfall = ImplementationShortfall()
    residual: Residual = Residual()
    slippage: Slippage = Slippage()
    routing: Routing = Routing()
    monitoring: Monitoring = Monitoring()
    scheduling: Scheduling = Scheduling()
    comparison: Comparison = Comparison()
    # The largest share of the market's volume since its start that an order worked over time may
    # be, together with all others of its symbol and side. None: only orders that ask for a cap
    # have one.
    max_participation: Share | None = None


class Limits(Section):
    max_order_quantity: Shares = 1_000_000
    max_order_notional: Money = Decimal(50_000_000)
    max_slices: SliceCount = 20_000
    max_adv_share: Share = Decimal("0.25")  # of the average daily volume, where it is known
    price_collar: Share = Decimal("0.05")  # a limit further beyond the mid is refused
    # A decision price further outside bid and ask is refused.
    decision_collar: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.10")
    max_quote_age_seconds: PositiveSeconds = 15.0
    max_spread_bps: Bps = Decimal(500)
    # The outermost bounds; the risk limits in the database may only be tighter. None: no bound.
    max_position: Count | None = None  # shares of one symbol in one account, long or short
    max_open_orders: Count | None = None  # of one account
    max_orders_per_minute: Count | None = None  # of one strategy; beyond it the strategy is halted
    max_messages_per_minute: Count | None = None  # child orders that one account sends
    max_daily_loss: Money | None = None  # of one account's fills of the day
    # Buys only within the buying power that the broker reports of the account.
    within_buying_power: bool = False
    max_portfolio_heat: Money | None = None  # positions x daily volatility, a share of equity
    account_equity: PositiveMoney | None = None  # of each account; the heat is measured against it
    duplicate_seconds: Seconds = 0.0  # 0: not compared


class Config(Observability, SingleSignOn, BaseSettings):
    """Every setting of the service, frozen once read."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env",
        env_nested_delimiter="__",
        yaml_file=ROOT / "config" / "config.yaml",
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )

    trading_mode: Literal["paper", "live"] = "paper"
    live_broker: str = ""  # which entry of BROKERS `live` means
    live_trading_confirmed: bool = False
    # The live broker is a simulator on this machine, so that made-up prices do no harm.
    live_broker_is_simulator: bool = False
    account: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31}$")] = "default"

    ibkr_host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:%-]+$")] = "127.0.0.1"
    ibkr_port: Annotated[int, Field(ge=1, le=65535)] = 7497
    ibkr_client_id: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1
    alpaca_api_key: Annotated[str, Field(pattern=f"^{PRINTED}$")] = ""
    alpaca_secret_key: HeaderSecret = SecretStr("")
    alpaca_base_url: HttpUrl = "https://paper-api.alpaca.markets"
    alpaca_data_url: HttpUrl = "https://data.alpaca.markets"
    alpaca_data_feed: Literal["iex", "sip"] = "iex"
    alpaca_requests_per_minute: Annotated[int, Field(ge=10, le=100_000)] = (
        200  # of the account, all workers
    )
    alpaca_data_requests_per_minute: Annotated[int, Field(ge=10, le=100_000)] = 200
    alpaca_connect_seconds: PositiveSeconds = 3.0
    alpaca_read_seconds: PositiveSeconds = 8.0  # without a byte; the outcome is unknown then

    database_url: DatabaseUrl = ""
    redis_url: RedisUrl = ""
    debug: bool = False
    secret_key: SecretStr = SecretStr("")
    flower_basic_auth: SecretStr = SecretStr("")  # user:password
    # Encrypts backups (`manage.py backup`); empty: they are written as they are.
    backup_key: SecretStr = SecretStr("")
    metrics_token: HeaderSecret = SecretStr("")  # bearer of /metrics; empty: there is no such page
    allowed_hosts: Annotated[list[str], NoDecode] = ["localhost", "127.0.0.1", "[::1]"]
    # A login ends after so long without a person's doing, and after a working day.
    session_idle_minutes: PositiveMinutes = 30.0
    session_hours: Annotated[float, Field(gt=0, le=168)] = 12.0
    token_days: Annotated[int, Field(gt=0, le=3_650)] = 90  # an API token is taken so long
    https: bool = False  # behind a TLS proxy: secure cookies, redirect and HSTS
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file: LogFile = ROOT / "logs" / "deepstack.log"
    # Takes a POST for each alert; empty: alerts go to the log only.
    alert_webhook_url: OptionalPrivateUrl = ""

    alerts: Alerts = Alerts()
    webhooks: Webhooks = Webhooks()
    execution: Execution = Execution()
    limits: Limits = Limits()
    breakers: Breakers = Breakers()
    disk: Disk = Disk()
    archive: Archive = Archive()
    controls: Controls = Controls()
    market: Market = Market()
    paper: Paper = Paper()
    ibkr: Ibkr = Ibkr()

    @classmethod
    def from_env(cls) -> Self:
        """Read every source once; raises ConfigError that names each wrong key."""
        own, yaml = (Path(str(cls.model_config.get(kind))) for kind in ("env_file", "yaml_file"))
        if not ROOT.is_dir():
            raise ConfigError(f"DEEPSTACK_HOME = {str(ROOT)!r}: there is no such folder")
        if wrong := list(config_files.unread(own, yaml)):
            raise ConfigError("\n".join([config_rules.HEAD, *wrong]))
        found: Self | None = None
        try:
            names = [line.key for line in config_files.variables(own) if line.key]
            wrong += config_rules.misspelt(os.environ, names, cls.model_fields)
            wrong += [*config_files.wrong_lines(own), *config_files.unknown(yaml, cls.model_fields)]
            found = cls()
        except UnicodeDecodeError:
            raise ConfigError(".env and config/config.yaml: only UTF-8 can be read") from None
        except ValidationError as error:
            wrong += config_rules.wrong_values(error)
        except SettingsError as error:
            raise ConfigError(f"{error}: a nested key is written SECTION__KEY=value") from None
        except YAMLError as error:
            raise ConfigError(f"config/config.yaml cannot be read: {error}") from None
        if found is None or wrong:
            raise ConfigError("\n".join([config_rules.HEAD, *wrong]))
        return found

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, _StrictYaml(settings_cls)

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("allowed_hosts")
    @classmethod
    def _named(cls, value: list[str]) -> list[str]:
        if not value or not all(map(config_urls.is_web_name, value)):
            raise ValueError(
                "names separated by commas are allowed, such as desk.example,127.0.0.1;"
                " without https:// and port"
            )
        return value

    @field_validator("secret_key")
    @classmethod
    def _cannot_be_guessed(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < LEAST_SECRET:
            raise ValueError(f"at least {LEAST_SECRET} characters are allowed: it signs sessions")
        return value

    @field_validator("flower_basic_auth")
    @classmethod
    def _has_both(cls, value: SecretStr) -> SecretStr:
        user, colon, password = value.get_secret_value().partition(":")
        if value.get_secret_value() and not (user and colon and password):
            raise ValueError("user:password is allowed")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if wrong := config_rules.out_of_order(self):
            raise ValueError("\n".join(wrong))
        return self


class _StrictYaml(YamlConfigSettingsSource):
    def _read_file(self, file_path: Any) -> dict[str, Any]:
        return config_files.yaml_of(file_path)


@cache
def current() -> Config:
    """The configuration of this process, read at its first use."""
    return _stand_ins[-1] if _stand_ins else Config.from_env()


_stand_ins: list[Config] = []


def stand_in(config: Config) -> None:
    """Takes the place of a configuration that cannot be read; before its first use."""
    _stand_ins.append(config)
