import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from typing_extensions import override

from deepstack.database.advisory_locks import MIGRATING, alone

LOOK_EVERY = 0.2  # seconds


class Command(migrate.Command):
    """Django's, one at a time: the units of two machines may start at the same moment."""

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        with self._alone():
            super().handle(*args, **options)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Asks again and again: a session that waited within a statement would keep the other one's
        CREATE INDEX CONCURRENTLY waiting for it."""
        said = False
        while True:
            with alone(MIGRATING) as mine:
                if mine:
                    yield
                    return
            if not said:
                self.stdout.write("another migrate is running: waiting for its end")
                said = True
            time.sleep(LOOK_EVERY)
