"""The algorithms that Interactive Brokers runs itself: what each takes, by its own names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from execution.domain.reading import number, one_of, refusal

# What maxPctVol and pctVol may be, as shares of the market's volume.
LEAST_SHARE, MOST_SHARE = Decimal("0.1"), Decimal("0.5")
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Native:
    """The algorithm that works an order at the broker. Tags and values are the broker's text."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Native":
        return cls(data["name"], tuple(data["parameters"].items()))

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "parameters": dict(self.parameters)}

    def starting(self, at: datetime) -> "Native":
        """The same for what is left of an order at a later moment of real time."""
        parameters = dict(self.parameters)
        if "startTime" in parameters:
            parameters["startTime"] = _moment(at)
        return Native(self.name, tuple(parameters.items()))


def _switch(value: object) -> str:
    for known, words in (("1", (True, "1", "true")), ("0", (False, "0", "false"))):
        if isinstance(value, bool | int | str) and value in words:
            return known
    raise refusal("1 or 0", value)


def _share(value: object) -> str:
    found = number(value)
    if found is not None and LEAST_SHARE <= found <= MOST_SHARE:
        return _text(found)
    raise refusal(f"a share from {LEAST_SHARE} to {MOST_SHARE}", value)


def _text(share: Decimal) -> str:
    return f"{share.normalize():f}"


@dataclass(frozen=True, slots=True)
class Kind:
    """`parameters`: what a signal may say. `defaults`: what the broker gets for those it leaves
    out. `share`: the tag of its share of the market's volume, if it has one. `over_time`: it is
    given the order's window; without that it starts at once, and the order's end cancels it."""

    parameters: Mapping[str, Callable[[object], str]]
    defaults: Mapping[str, str] = field(default_factory=dict)
    share: str = ""
    over_time: bool = True


_ENDS = {"allowPastEndTime": "0"}

NATIVES: dict[str, Kind] = {
    "Adaptive": Kind(
        {"adaptivePriority": one_of(("Urgent", "Normal", "Patient"))},
        {"adaptivePriority": "Normal"},
        over_time=False,
    ),
    "Twap": Kind(
        {
            "strategyType": one_of(
                ("Marketable", "Matching Midpoint", "Matching Same Side", "Matching Last")
            )
        },
        {"strategyType": "Marketable", **_ENDS},
    ),
    "Vwap": Kind(
        {"maxPctVol": _share, "noTakeLiq": _switch},
        {"noTakeLiq": "0", **_ENDS},
        share="maxPctVol",
    ),
    "ArrivalPx": Kind(
        {
            "maxPctVol": _share,
            "riskAversion": one_of(("Get Done", "Aggressive", "Neutral", "Passive")),
            "forceCompletion": _switch,
        },
        {"riskAversion": "Neutral", "forceCompletion": "0", **_ENDS},
        share="maxPctVol",
    ),
    "PctVol": Kind({"pctVol": _share, "noTakeLiq": _switch}, {"noTakeLiq": "0"}, share="pctVol"),
}
# The order's own fields say these.
_ELSEWHERE = {
    "startTime": "is the order's start_at",
    "endTime": "is the order's end_at",
    "allowPastEndTime": "is always 0: what is left at end_at is cancelled",
}


def pairs(value: object) -> Mapping[str, object]:
    """Parameters as an object of tags and values, or as text like "maxPctVol=0.2, noTakeLiq=1"."""
    if isinstance(value, str):
        words = [word.partition("=") for word in value.split(",")]
        found = {tag.strip(): said.strip() for tag, equals, said in words if equals}
        if len(found) == len(words):
            return found
    elif isinstance(value, Mapping) and all(isinstance(tag, str) for tag in value):
        return dict(value)
    raise ValueError("must be an object, or text like maxPctVol=0.2,noTakeLiq=1")


def read(name: str, given: Mapping[str, object]) -> dict[str, str]:
    """A signal's parameters as the broker reads them. Raises ValueError for all that are wrong."""
    known, clean, wrong = NATIVES[name].parameters, {}, []
    for tag, value in given.items():
        try:
            if tag not in known:
                problem = f"is unknown to {name}, which knows {', '.join(known)}"
                raise ValueError(_ELSEWHERE.get(tag, problem))
            clean[tag] = known[tag](value)
        except ValueError as error:
            wrong.append(f"{tag} {error}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return clean


def keeps(name: str, cap: Decimal) -> bool:
    """Whether the algorithm can be made to stay below such a share of the market's volume."""
    return bool(NATIVES[name].share) and cap >= LEAST_SHARE


def instructions(
    name: str,
    parameters: Mapping[str, str],
    *,
    start: datetime,
    end: datetime,
    cap: Decimal | None = None,
) -> Native:
    """All that the broker gets, for a window in real time.

    A participation cap becomes the algorithm's own share of the volume: one that it `keeps`.
    Raises ValueError where it needs a share and neither a parameter nor a cap says one.
    """
    kind = NATIVES[name]
    values = {**kind.defaults, **parameters}
    if kind.share:
        values[kind.share] = _smallest(kind.share, parameters.get(kind.share), cap)
    if kind.over_time:
        values |= {"startTime": _moment(start), "endTime": _moment(end + SECOND * 0.999999)}
    return Native(name, tuple(values.items()))


def _smallest(tag: str, asked: str | None, cap: Decimal | None) -> str:
    shares = [Decimal(asked)] if asked else []
    shares += [] if cap is None else [cap]
    if not shares:
        raise ValueError(
            f"{tag} is needed where no participation cap holds: {LEAST_SHARE} to {MOST_SHARE}"
        )
    return _text(min([*shares, MOST_SHARE]))


def _moment(at: datetime) -> str:
    """The dash says that it is UTC."""
    return f"{at.astimezone(UTC):%Y%m%d-%H:%M:%S}"
