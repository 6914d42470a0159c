"""What Django connects with, for the addresses that people type."""

import pytest

from deepstack import database

LOGIN = "postgresql://user:pass%2Fword@"


@pytest.mark.parametrize(
    ("url", "host", "port", "attributes"),
    [
        (f"{LOGIN}one:5433/name", "one", "5433", None),
        (f"{LOGIN}h1:5432,h2:5433/name", "h1,h2", "5432,5433", "read-write"),
        (f"{LOGIN}h1,h2:5433/name?sslmode=require", "h1,h2", "5432,5433", "read-write"),
        (f"{LOGIN}h1,h2/name?target_session_attrs=primary", "h1,h2", "5432,5432", "primary"),
        (f"{LOGIN}[::1]:1,[fe80::2]:2/name", "::1,fe80::2", "1,2", "read-write"),
        (f"{LOGIN}/name?host=h1,h2&port=1,2", "h1,h2", "1,2", "read-write"),
        (f"{LOGIN}/name?host=/run/postgresql", "/run/postgresql", "", None),
    ],
)
def test_the_host_that_takes_writes_is_connected_to(
    url: str, host: str, port: str, attributes: str | None
) -> None:
    found = database.entry(url)
    options = found["OPTIONS"]
    assert (found["HOST"] or options["host"]) == host
    assert str(found["PORT"] or options.get("port", "")) == port
    assert options.get("target_session_attrs") == attributes
    assert (found["NAME"], found["USER"], found["PASSWORD"]) == ("name", "user", "pass/word")
