"""Addresses in the configuration: each reader returns what it was given, or raises ValueError that
says what is allowed."""

import re
from collections.abc import Callable
from urllib.parse import SplitResult, parse_qs, parse_qsl, urlsplit

_HOST = re.compile(r"[A-Za-z0-9._:%-]+")  # names and IP addresses; ":" and "%" in IPv6 ones
# start://login@h1:port,h2:port/name?query
_SEVERAL = re.compile(
    r"(?P<start>postgres(?:ql)?://)(?P<login>[^@/?]*@)?(?P<hosts>[^@/?]*,[^@/?]*)"
    r"(?P<path>/[^?]*)(?P<query>\?.*)?"
)
_NAMED_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:%.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?"
)
_WRITABLE = ["read-write"]
# As Django compares it with what a browser asks for: `.desk.example` is also all names below it.
_WEB_NAME = re.compile(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
Reader = Callable[[str], str]


def optional(read: Reader) -> Reader:
    """Empty means: not given."""

    def read_or_empty(url: str) -> str:
        return read(url) if url else url

    return read_or_empty


def is_web_name(text: str) -> bool:
    """Whether a server may be asked for under this name."""
    return bool(_WEB_NAME.fullmatch(text))


def http(url: str) -> str:
    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https") or not _has_host(parts):
        raise ValueError("an address such as https://host.example/path is allowed")
    return url


def private_http(url: str) -> str:
    """As `http`, but for another machine only encrypted."""
    parts = urlsplit(http(url))
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("https://host.example/path is allowed; http:// only on this machine")
    return url


def database(url: str) -> str:
    parts = _parts(hosts_in_query(url))
    known = parts is not None and parts.scheme in ("postgres", "postgresql")
    asked = parse_qs(parts.query) if parts else {}
    somewhere = parts is not None and (_has_host(parts) or "host" in asked)
    if parts is None or not known or not somewhere or not parts.path.strip("/"):
        raise ValueError(
            "postgresql://user:password@host:5432/name is allowed, also with several hosts:"
            " postgresql://user:password@first:5432,second:5432/name"
        )
    if asked.get("target_session_attrs", _WRITABLE) not in (_WRITABLE, ["primary"]):
        raise ValueError(
            "target_session_attrs: read-write or primary is allowed, orders are stored"
        )
    return url


def hosts_in_query(url: str) -> str:
    """An address of PostgreSQL with several hosts, as libpq's other form that Django's reader
    takes; the one that accepts writes is meant. Any other address as it is."""
    parts = _SEVERAL.fullmatch(url)
    if parts is None:
        return _writable(url)
    hosts, ports = [], []
    for each in parts["hosts"].split(","):
        name = _NAMED_HOST.fullmatch(each)
        if name is None or int(name["port"] or 1) not in range(1, 65_536):
            return url
        hosts.append(name["v6"] or name["name"])
        ports.append(name["port"] or "5432")
    asked = [parts["query"].lstrip("?")] if parts["query"] else []
    asked += [f"host={','.join(hosts)}", f"port={','.join(ports)}"]
    return _writable(f"{parts['start']}{parts['login'] or ''}{parts['path']}?{'&'.join(asked)}")


def _writable(url: str) -> str:
    several = any("," in hosts for hosts in parse_qs(url.partition("?")[2]).get("host", []))
    if not several or "target_session_attrs=" in url:
        return url
    return f"{url}&target_session_attrs={_WRITABLE[0]}"


def redis(url: str) -> str:
    parts = _parts(url)
    if parts is not None:
        _refuse_unverified(parts)
        number = parts.path.removeprefix("/")
        over_network = parts.scheme in ("redis", "rediss") and _has_host(parts)
        if over_network and (not number or (number.isascii() and number.isdecimal())):
            return url
        if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
            return url
    raise ValueError("redis://host:6379/0, rediss://host:6379/0 or unix:///path is allowed")


def _refuse_unverified(parts: SplitResult) -> None:
    needed = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true"}
    for key, value in parse_qsl(parts.query):  # of two, one client takes the first, one the last
        if value.lower() != needed.get(key, value.lower()):
            raise ValueError(
                f"{key}={value} would take anybody for the server: leave it out, and name the"
                " authority of its certificate by ssl_ca_certs=/path/ca.pem"
            )


def without_password(text: str) -> str:
    """An address as it may be shown: without its user and password."""
    return re.sub(r"[^\s'\"]*@", "***@", text)


def _parts(url: str) -> SplitResult | None:
    """None for what is no address: blanks and control characters, a port beyond all ports."""
    if not url.isprintable() or any(map(str.isspace, url)):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _has_host(parts: SplitResult) -> bool:
    return bool(_HOST.fullmatch(parts.hostname or ""))
