"""Settings of what grows: the disks, and how long ended orders stay in the database whole."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from deepstack.config_types import Folder, Section

LEAST_DAYS = 7  # a broker tells of executions again for days; a report goes back a week


class Disk(Section):
    """Of the disks of this machine that rows and logs go to: shares of the whole that are free."""

    low: Annotated[float, Field(ge=0, lt=1)] = 0.05  # an alert
    least_free: Annotated[float, Field(ge=0, lt=1)] = 0.02  # no new order is taken


class Archive(Section):
    """Of `manage.py archive`."""

    # Days after its last event from which an order may be archived. None: only the command says.
    after_days: Annotated[int, Field(ge=LEAST_DAYS, le=36_500)] | None = None
    folder: Folder = Path("var/archive")  # relative to the folder of `.env`
