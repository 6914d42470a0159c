"""The engine of a process that has no database: PostgreSQL in everything but the connection."""

from typing import Any, NoReturn

from django.db import OperationalError
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> NoReturn:
        raise OperationalError("no database: run `make up` or set DATABASE_URL")
