"""What a setting may be: bounds that a plan, a timer or a column of the database can hold."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from deepstack import config_urls

A_DAY = 86_400  # seconds
MOST_SLICES = 100_000  # of one order
MOST_SHARES = 1_000_000_000
PRINTED = r"[!-~]*"  # what a header of HTTP carries


def _printed(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(PRINTED, secret.get_secret_value()):
        raise ValueError("visible ASCII characters are allowed: it is sent in a header")
    return secret


def _from_home(path: Path) -> Path:
    """A shell is not there to read the ~ of a file of settings."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("~ and ~name are allowed of a user with a home folder") from None


def _a_file(path: Path) -> Path:
    if not path.name or path.is_dir():
        raise ValueError("the path of a file is allowed, such as logs/deepstack.log")
    return path


Positive = Annotated[int, Field(gt=0, le=2**31 - 1)]
Shares = Annotated[int, Field(gt=0, le=MOST_SHARES)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
SliceCount = Annotated[int, Field(gt=0, le=MOST_SLICES)]
Minutes = Annotated[int, Field(gt=0, le=A_DAY // 60)]
# A timer below a millisecond would only spin.
PositiveSeconds = Annotated[float, Field(ge=0.001, le=A_DAY)]
PositiveMinutes = Annotated[float, Field(ge=0.001, le=A_DAY // 60)]
Seconds = Annotated[float, Field(ge=0, le=A_DAY)]
Share = Annotated[Decimal, Field(ge=Decimal("0.000001"), le=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Deviation = Annotated[float, Field(gt=0, le=1)]  # of the market VWAP
Bps = Annotated[Decimal, Field(ge=0, le=10_000)]
Money = Annotated[Decimal, Field(ge=0, le=10**15)]
PositiveMoney = Annotated[Decimal, Field(gt=0, le=10**15)]
Symbol = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,9}(\.[A-Z0-9]{1,3})?$")]
Price = Annotated[Decimal, Field(gt=0, le=10_000_000)]
HttpUrl = Annotated[str, AfterValidator(config_urls.http)]
OptionalPrivateUrl = Annotated[str, AfterValidator(config_urls.optional(config_urls.private_http))]
DatabaseUrl = Annotated[str, AfterValidator(config_urls.optional(config_urls.database))]
HeaderSecret = Annotated[SecretStr, AfterValidator(_printed)]
Folder = Annotated[Path, AfterValidator(_from_home)]
LogFile = Annotated[Path, AfterValidator(_from_home), AfterValidator(_a_file)]
RedisUrl = Annotated[str, AfterValidator(config_urls.optional(config_urls.redis))]


class Checked(BaseModel):
    """To Python, true is the number one and 1_0 is ten; here they are not."""

    @field_validator("*", mode="before")
    @classmethod
    def _as_people_write_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        kind = str(cls.model_fields[str(info.field_name)].annotation)
        if isinstance(value, bool) and "bool" not in kind:
            raise ValueError(f"must not be {str(value).lower()}, which is a switch")
        numeric = any(name in kind for name in ("int", "float", "Decimal")) and "str" not in kind
        if isinstance(value, str) and numeric and ("_" in value or not value.isascii()):
            raise ValueError("a number in plain digits is allowed")
        return value


class Section(Checked):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def rebuilt(self) -> Self:
        """The same, checked; a copy that was made with other values is not."""
        return type(self).model_validate(self.model_dump(exclude_unset=True))
