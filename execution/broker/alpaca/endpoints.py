"""Where Alpaca is, and which of its addresses may be used in which trading mode."""

from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from deepstack.config import Config, ConfigError

PAPER_HOST = "paper-api.alpaca.markets"
OWN_DOMAIN = "alpaca.markets"


def trading_url(config: Config) -> str:
    """The trading address without its version. Raises ConfigError for one that may not be used:
    Alpaca's live host unless live trading is on and confirmed, or keys over plain HTTP."""
    url = _checked("ALPACA_BASE_URL", config.alpaca_base_url)
    confirmed = config.trading_mode == "live" and config.live_trading_confirmed
    if is_live(url) and not confirmed:
        raise ConfigError(
            f"ALPACA_BASE_URL = {config.alpaca_base_url!r} trades real money; it is used only with "
            f"TRADING_MODE=live and LIVE_TRADING_CONFIRMED=true (allowed now: https://{PAPER_HOST})"
        )
    return url


def data_url(config: Config) -> str:
    return _checked("ALPACA_DATA_URL", config.alpaca_data_url)


def stream_url(config: Config) -> str:
    """The websocket of trade updates, on the trading host."""
    parts = urlsplit(trading_url(config))
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, f"{parts.path}/stream", "", ""))


def data_stream_url(config: Config) -> str:
    """The websocket of market data: a host of its own at Alpaca, `stream.` before the name."""
    parts = urlsplit(data_url(config))
    host = f"stream.{parts.netloc}" if _is_alpaca(parts.hostname or "") else parts.netloc
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, host, f"{parts.path}/v2/{config.alpaca_data_feed}", "", ""))


def is_live(url: str) -> bool:
    """Whether real money is behind this address; a host of Alpaca that we do not know counts."""
    host = urlsplit(url).hostname or ""
    return _is_alpaca(host) and host != PAPER_HOST


def is_trial(url: str) -> bool:
    """Whether no money can be behind it: Alpaca's paper host, or a server on this machine."""
    return urlsplit(url).hostname == PAPER_HOST or is_here(url)


def is_here(url: str) -> bool:
    """Whether it is a server on this machine."""
    return _is_here(urlsplit(url).hostname or "")


def _checked(name: str, url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise ConfigError(f"{name} = {url!r}: an address such as https://{PAPER_HOST} is allowed")
    if parts.scheme == "http" and not _is_here(host):
        raise ConfigError(f"{name} = {url!r}: keys travel over https only, except on this machine")
    # Alpaca's own pages show the address with its version, which the library adds again.
    path = parts.path.rstrip("/").removesuffix("/v2")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _is_alpaca(host: str) -> bool:
    return host == OWN_DOMAIN or host.endswith(f".{OWN_DOMAIN}")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
