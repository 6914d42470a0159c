"""Settings of who may decide alone."""

from typing import Annotated, Literal

from pydantic import Field

from deepstack.config_types import Section


class Controls(Section):
    # A second person must ask for the same before a limit is raised, a restriction or a halt is
    # lifted, recovery mode is released, or a second factor is reset.
    four_eyes: bool = False
    # So long after the first has asked; later the second is the first.
    approval_minutes: Annotated[float, Field(gt=0, le=1_440)] = 15.0
    # Of whom a code is asked at the login, beside the password: in live trading of superusers and
    # of whoever may loosen a control; `always`: on paper, too; `never`: of nobody.
    second_factor: Literal["live", "always", "never"] = "live"
