"""The schedules that are compared on real sessions, as the service would plan and aim them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate

from benchmarks.bars import MINUTE
from benchmarks.stock_days import QUANTITY, Case
from deepstack.config import Vwap
from execution.domain.algorithms.base import PlannedSlice, Spec
from execution.domain.algorithms.registry import ALGOS
from execution.domain.child_sizing import next_child, retarget
from execution.domain.participation import Pace
from execution.domain.volume_forecast import dynamic_target, volume_ahead
from execution.domain.volume_grid import Grid, aimed_at, believed
from execution.domain.volume_profile import U_SHAPE, Profile

SLICE = timedelta(minutes=Vwap().slice_minutes)
GRID = Grid(
    shortest=timedelta(minutes=Vwap().shortest_slice_minutes),
    closing=timedelta(minutes=Vwap().closing_minutes),
    largest=float(Vwap().largest_slice),
    least=Vwap().smallest_cut,
    most=20_000,
)

Plan = Sequence[tuple[datetime, int]]
Aim = Callable[[datetime, datetime], datetime]
Schedule = Callable[[Case, datetime, datetime], Plan]


def twap(case: Case, start: datetime, end: datetime) -> Plan:
    return _fixed(ALGOS["TWAP"].plan(_spec(case, start, end, case.own)))


def vwap(case: Case, start: datetime, end: datetime, *, profile: Profile) -> Plan:
    return _fixed(ALGOS["VWAP"].plan(_spec(case, start, end, profile)))


def dynamic(
    case: Case,
    start: datetime,
    end: datetime,
    *,
    profile: Profile,
    grid: Grid | None = None,
    aim: Aim = aimed_at,
) -> Plan:
    """Each slice aimed anew when it is due, with the fills so far perfect."""
    planned = ALGOS["VWAP"].plan(_spec(case, start, end, profile, grid))
    sent: list[tuple[datetime, int]] = []
    done = before = 0
    for slice_ in planned:
        share = dynamic_target(
            profile,
            case.session,
            start=start,
            end=end,
            until=_until(planned, slice_.sequence, end, aim),
            minutes=believed(_ended(case, slice_.due_at)),
            minutes_from=case.session.open,
            daily_volume=case.mean_volume,
            today=case.expected,
        )
        target = retarget(quantity=QUANTITY, share=share, before=before)
        child = next_child(
            quantity=QUANTITY,
            filled=done,
            working=0,
            planned=target.planned,
            cumulative=target.cumulative,
            slices_left=len(planned) - slice_.sequence,
        )
        sent.append((slice_.due_at, child.quantity))
        done, before = done + child.quantity, target.cumulative
    return sent


def _until(
    planned: Sequence[PlannedSlice], sequence: int, end: datetime, aim: Aim = aimed_at
) -> datetime:
    if sequence + 1 == len(planned):
        return end
    return aim(planned[sequence].due_at, planned[sequence + 1].due_at)


def total_known(case: Case, start: datetime, end: datetime) -> Plan:
    """A bound: as `dynamic` would be if the volume of the window were known in advance, and only
    its course were not."""
    planned = ALGOS["VWAP"].plan(_spec(case, start, end, case.drawn, GRID))
    traded = list(accumulate(_volumes(case, start, end), initial=0))
    whole, done, sent = traded[-1], 0, []
    for slice_ in planned:
        until = _until(planned, slice_.sequence, end)
        seen = traded[(slice_.due_at - start) // MINUTE]
        ahead = case.drawn.share_between(case.session, slice_.due_at, until)
        rest = case.drawn.share_between(case.session, slice_.due_at, end)
        share = (seen + (whole - seen) * ahead / rest) / whole if whole and rest else 1.0
        target = QUANTITY if until == end else max(int(share * QUANTITY), done)
        sent.append((slice_.due_at, target - done))
        done = target
    return sent


def actual(case: Case, start: datetime, end: datetime, *, grid: Grid | None = None) -> Plan:
    """A bound: the volumes of the slices' intervals as they came, which no forecast can better."""
    times = [part.due_at for part in _plan(case, start, end, grid)]
    ends = [*times[1:], end]
    return [(due, sum(_volumes(case, due, after))) for due, after in zip(times, ends, strict=True)]


def pov(case: Case, start: datetime, end: datetime, *, pace: Pace) -> list[tuple[int, float]]:
    """After each slice of a POV order that fills at once: shares done, and the share of the
    market's volume that they are, but for one, by the last minute that had ended."""
    planned = ALGOS["POV"].plan(_spec(case, start, end, case.drawn, GRID))
    traded = list(accumulate(_volumes(case, start, end), initial=0))
    done, reached = 0, []
    for part in planned:
        seen = traded[(part.due_at - start) // MINUTE]
        last = part is planned[-1] and end == case.session.close
        ahead = _expected_until_close(case, start, part.due_at) if last else 0.0
        done = max(done, min(pace.shares(seen, ahead) + 1, QUANTITY))
        reached.append((done, (done - 1) / seen if seen else 0.0))
    return reached


def _expected_until_close(case: Case, start: datetime, now: datetime) -> float:
    return volume_ahead(
        case.drawn,
        case.session,
        since=start,
        until=case.session.close,
        minutes=believed(_ended(case, now)),
        minutes_from=case.session.open,
        daily_volume=case.mean_volume,
        today=case.expected,
    )


def _plan(
    case: Case, start: datetime, end: datetime, grid: Grid | None
) -> tuple[PlannedSlice, ...]:
    return ALGOS["VWAP"].plan(_spec(case, start, end, case.drawn, grid))


def _ended(case: Case, now: datetime) -> Sequence[int]:
    return case.day.volumes[: (now - case.session.open) // MINUTE]


def _volumes(case: Case, start: datetime, end: datetime) -> Sequence[int]:
    opened = case.session.open
    return case.day.volumes[(start - opened) // MINUTE : (end - opened) // MINUTE]


def _spec(
    case: Case, start: datetime, end: datetime, profile: Profile, grid: Grid | None = None
) -> Spec:
    return Spec(
        quantity=QUANTITY,
        start=start,
        end=end,
        slices=(end - start) // SLICE,
        session=case.session,
        profile=profile,
        seed=0,
        jitter=timedelta(0),
        grid=grid,
    )


def _fixed(planned: Sequence[PlannedSlice]) -> Plan:
    return [(slice_.due_at, slice_.quantity) for slice_ in planned]


def _along(_due: datetime, following: datetime) -> datetime:
    """For a slice that trades along with all of its interval, as the ideal does."""
    return following


EVEN: dict[str, Schedule] = {
    "equal slices (TWAP)": twap,
    "default U-shape": partial(vwap, profile=U_SHAPE),
    "learned": lambda case, start, end: vwap(case, start, end, profile=case.own),
    "learned, drawn to the pool": lambda case, start, end: vwap(
        case, start, end, profile=case.drawn
    ),
    "dynamic": lambda case, start, end: dynamic(case, start, end, profile=case.drawn, aim=_along),
    "actual volumes (a bound)": actual,
}
FINE: dict[str, Schedule] = {
    "dynamic, finer": lambda case, start, end: dynamic(
        case, start, end, profile=case.drawn, grid=GRID
    ),
    "volume of window known (a bound)": total_known,
    "actual volumes, finer (a bound)": partial(actual, grid=GRID),
}
