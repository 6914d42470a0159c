"""Django's entry for the one database, with the limits that every connection keeps."""

from typing import Any

import dj_database_url

from deepstack.config_urls import hosts_in_query

# A request must never hang on a lock or a lost statement.
LIMITS = {
    "lock_timeout": "4s",
    "statement_timeout": "30s",
    # Every transaction is short: one that rests this long belongs to a frozen process, whose
    # locks would hold up everybody else.
    "idle_in_transaction_session_timeout": "10s",
    # A prepared statement is planned once for a connection, not for its first five values too,
    "plan_cache_mode": "force_generic_plan",
    # and perhaps while a table is nearly empty: by its indexes, as will be right when it is full.
    "random_page_cost": "1.1",
}


def entry(url: str) -> dict[str, Any]:
    """What DATABASES holds for a PostgreSQL URL.

    Without one, commands that need no database work, and the first query says what is missing.
    """
    if not url:
        return {"ENGINE": "deepstack.database", "NAME": "missing"}
    found: dict[str, Any] = dict(
        dj_database_url.parse(
            hosts_in_query(url),
            engine="deepstack.database.postgresql",
            conn_max_age=None,
            conn_health_checks=True,
        )
    )
    found["OPTIONS"] = found.get("OPTIONS", {}) | {
        "connect_timeout": 3,
        "application_name": "deepstack",
        # For the statements of `prepared_query`, from their second use; Django's own are not.
        "prepare_threshold": 1,
        "options": " ".join(f"-c {name}={value}" for name, value in LIMITS.items()),
    }
    return found
