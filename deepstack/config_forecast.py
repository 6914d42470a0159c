"""Settings of the forecast that VWAP orders follow; `manage.py tune_forecast` proposes others."""

from typing import Annotated

from pydantic import Field

from deepstack.config_types import Section

Persistence = Annotated[float, Field(ge=0, le=1)]


class Forecast(Section):
    """Constants of `execution.domain.volume_forecast`, which says what each does."""

    day_persistence: Persistence = 0.65
    recent_persistence: Persistence = 0.3
    recent_minutes: Annotated[int, Field(ge=5, le=390)] = 90
    closing_persistence: Persistence = 0.5
    prior_share: Annotated[float, Field(gt=0, le=1)] = 0.07
