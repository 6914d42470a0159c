"""What an order does with its residual: decided when it is accepted and kept in its routing,
carried out when none of its slices can do anything any more."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from typing import Any

import structlog

from deepstack.config import Execution
from deepstack.database.unit_of_work import save
from execution.domain.algorithms.base import PlannedSlice, Spec
from execution.domain.algorithms.registry import ALGOS
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import ORDER_SENDING
from execution.domain.residual import Policy, Schedule, Stage, Terms
from execution.domain.session import Session
from execution.domain.volume_profile import U_SHAPE, Profile
from execution.market import clock
from execution.models import Order, Slice, VolumeProfile
from execution.orders.journal import record_event
from execution.planning import order_parameters, slice_rows, volume_profiles
from execution.planning.trading_window import Window

log = structlog.get_logger(__name__)

KEY = "residual"
MINUTE = timedelta(minutes=1)
# Of the facts that a plan was made from, these are known anew when it is made again.
_NEW = {"quantity", "start", "end", "slices", "session", "profile", "seed", "jitter", "grid"}
_SESSION_TIMES = ("open", "close", "extended_open", "extended_close")


def terms_of(order: Order, window: Window, config: Execution) -> Terms:
    """What was asked for, or is usual, for an order in its window."""
    length = window.end - window.start
    if order_parameters.is_passive_first(order):
        patience = float(order.parameters["aggressive_after"])
        return Terms(Policy.CROSS, length * (1 - patience), None, turns=1)
    policy, usual = order.parameters.get("residual", "LEAVE"), config.residual
    minutes = order.parameters.get("residual_minutes")
    given = None if minutes is None else MINUTE * float(minutes)
    if policy == "FORCE":
        return _forced(given, length, config)
    if policy == "CLOSE":
        last = given or MINUTE * usual.close_minutes
        return Terms(Policy.CLOSE, last, window.session.close, usual.tries)
    if policy == "LEAVE":
        return Terms(Policy.LEAVE, timedelta(0), None, turns=0)
    close = None if window.session.always else window.session.close
    turns = order.parameters.get("max_extensions") or usual.max_extensions
    longer = given or length * float(usual.extend_share)
    then = _forced(None, longer, config) if policy == "EXTEND_FORCE" else None
    return Terms(Policy.EXTEND, longer, close, int(turns), then)


def _forced(given: timedelta | None, window: timedelta, config: Execution) -> Terms:
    """In the last part of a window of such a length, long enough for two children's lives."""
    usual = config.residual
    life = timedelta(seconds=config.scheduling.min_life_seconds) * clock.speed()
    last = given or max(window * float(usual.force_share), life * 2)
    return Terms(Policy.FORCE, min(last, window / 2), None, usual.tries)


def enter(order: Order, terms: Terms, spec: Spec) -> None:
    """Note with a new order what will be done about its residual; nothing where it is left."""
    if terms.policy == Policy.LEAVE:
        return
    kept = terms.as_json() | {"schedule": Schedule(spec.start, spec.end).as_json()}
    if terms.policy == Policy.EXTEND:
        kept["plan"] = _kept(spec)
    order.routing[KEY] = kept


def as_json(order: Order) -> dict[str, object]:
    """Of an order that has just been planned: the policy, and from when until when it will be
    carried out if its slices leave a residual; nothing where it is left."""
    kept = order.routing.get(KEY)
    if not kept:
        return {}
    begins = Schedule.from_json(kept["schedule"]).end
    stage = Terms.from_json(kept).next_stage(now=begins, end=order.end_at)
    return {
        "policy": kept["policy"],
        "then": kept["then"]["policy"] if kept["then"] else "LEAVE",
        "from": (stage.start if stage else begins).isoformat(),
        "until": (stage.until if stage else order.end_at).isoformat(),
        "turns": kept["turns"],
    }


def schedule(order: Order) -> Schedule:
    """The schedule that the order's curve belongs to now."""
    kept = order.routing.get(KEY)
    return Schedule.from_json(kept["schedule"]) if kept else Schedule(order.start_at, order.end_at)


def final_policy(order: Order, part: Slice) -> Policy | None:
    """The policy that a slice carries out which takes all that is left; None for all others."""
    kept = order.routing.get(KEY) or {}
    first = kept.get("final_from")
    return None if first is None or part.sequence < first else Policy(kept["policy"])


def carry_on(order: Order, *, at: datetime) -> bool:
    """Plan what is left of a locked order whose slices have all ended; False when it ends here.

    Only what neither filled nor works is planned, and every child is sized anew when it leaves.
    """
    kept = order.routing.get(KEY)
    if not kept or order.status not in ORDER_SENDING:
        return False
    terms = Terms.from_json(kept)
    stage = terms.next_stage(now=at, end=order.end_at)
    plan = _plan(order, terms, stage) if stage else ()
    if not stage or not plan:
        return False
    _store(order, terms, stage, plan, at=at)
    return True


def amended(order: Order, draft: Order, *, done: int) -> bool:
    """Take over what an amendment of a locked order decides, before its end moves and when `done`
    shares are filled or working; whether the last stage had begun and goes on. Used turns stay
    used, but for one that the new rest needs, and the curve begins where it began."""
    kept, fresh = order.routing.get(KEY), draft.routing.get(KEY)
    if not kept or not fresh:
        return False
    if kept["policy"] != fresh["policy"]:  # it was in its last extension: one more may follow
        begins = fresh["schedule"] | {"first": order.slice_count, "done": done}
        order.routing[KEY] = fresh | {"turns": 1, "schedule": begins}
        return False
    begun = kept.pop("final_from", None) is not None
    kept["turns"] = max(kept["turns"], 1)
    kept["schedule"]["end"] = fresh["schedule"]["end"]
    kept["minutes"] = fresh["minutes"]
    return begun and order.end_at == draft.end_at


def _plan(order: Order, terms: Terms, stage: Stage) -> Sequence[PlannedSlice]:
    rest = order.quantity - order.filled_quantity
    try:
        if terms.is_final:
            return slice_rows.evenly(order, rest, stage.start, stage.end)
        return _longer(order, rest, stage)
    except ValueError as error:
        log.warning("a residual cannot be planned and is left", order=order.pk, error=str(error))
        return ()


def _longer(order: Order, rest: int, stage: Stage) -> Sequence[PlannedSlice]:
    """By the order's own algorithm, in slices as long as before."""
    kept: dict[str, Any] = order.routing[KEY]["plan"]
    interval = timedelta(seconds=kept["interval_seconds"])
    usual = min(max(round((stage.end - stage.start) / interval), 1), rest)
    needed = order_parameters.slices_for(
        rest, order_parameters.most(order), order_parameters.lot(order)
    )
    session = _session(kept["session"])
    spec = Spec(
        quantity=rest,
        start=stage.start,
        end=stage.end,
        slices=max(usual, needed),
        session=session,
        profile=_profile(order, session),
        seed=order.seed + order.slice_count,
        jitter=timedelta(seconds=kept["jitter_seconds"]),
        **kept["facts"],
    )
    return ALGOS[order.algorithm].plan(replace(spec, min_slice=min(spec.min_slice, rest)))


def _store(
    order: Order, terms: Terms, stage: Stage, plan: Sequence[PlannedSlice], *, at: datetime
) -> None:
    first, done, before = order.slice_count, order.filled_quantity, order.end_at
    Slice.objects.bulk_create(
        slice_rows.rows(order, plan, first=first, done=done), batch_size=2_000
    )
    kept = order.routing[KEY] | stage.terms.as_json()
    if terms.is_final:
        kept.setdefault("final_from", first)
    else:
        kept["schedule"] = Schedule(stage.start, stage.end, first, done).as_json()
    order.routing[KEY] = kept
    order.end_at, order.slice_count = stage.until, first + len(plan)
    save(order, "routing", "end_at", "slice_count")
    facts = {
        "policy": str(terms.policy),
        "residual": order.quantity - done,
        "first_new_slice": first,
        "slices": order.slice_count,
        "start_at": stage.start.isoformat(),
        "end_at": stage.until.isoformat(),
        "end_before": before.isoformat(),
        "turns_left": terms.turns - 1,
        "next": str(stage.terms.policy),
    }
    record_event(order, EventKind.RESIDUAL_PLANNED, facts, at=at)


def _kept(spec: Spec) -> dict[str, object]:
    """What `_longer` makes the next plan from, as plain values."""
    session = spec.session
    return {
        "interval_seconds": (spec.end - spec.start).total_seconds() / spec.slices,
        "jitter_seconds": spec.jitter.total_seconds(),
        "session": {name: getattr(session, name).isoformat() for name in _SESSION_TIMES}
        | {"day": session.day.isoformat(), "always": session.always},
        "facts": {
            each.name: getattr(spec, each.name) for each in fields(spec) if each.name not in _NEW
        },
    }


def _session(kept: dict[str, Any]) -> Session:
    times = {name: datetime.fromisoformat(kept[name]) for name in _SESSION_TIMES}
    return Session(day=date.fromisoformat(kept["day"]), always=kept["always"], **times)


def _profile(order: Order, session: Session) -> Profile:
    try:
        known = volume_profiles.of_order(order.routing.get("profile") or {}, session)
    except VolumeProfile.DoesNotExist:
        known = None
    return known.profile if known else U_SHAPE
