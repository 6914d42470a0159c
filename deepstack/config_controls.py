"""Settings of who may decide alone."""

from typing import Annotated

from pydantic import Field

from deepstack.config_types import Section


class Controls(Section):
    # A second person must ask for the same before a limit is raised, a restriction or a halt is
    # lifted, or recovery mode is released.
    four_eyes: bool = False
    # So long after the first has asked; later the second is the first.
    approval_minutes: Annotated[float, Field(gt=0, le=1_440)] = 15.0
