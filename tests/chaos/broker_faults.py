"""What strikes a run in front of a peer: the faults of any broker, and those of its own."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from execution.models import BrokerLink
from tests.chaos.faults import FAULTS, Fault, Scene, nothing
from tests.chaos.peers import Alpaca, Peer, Tws
from tests.chaos.venue import wait_until

PATIENCE = 30.0  # seconds
KNOWN_WITHIN, MINUTE = 5.0, 60.0

# Of the run with the stand-in; the pace that follows them is the broker's own, not ours.
COMMON = (
    "no fault",
    "worker kill -9 with pending slices",
    "worker kill -9 between claim and send",
    "worker kill -9 between send and record",
    "worker frozen past its lease",
    "worker frozen between final check and send",
    "dispatch leader kill -9",
    "Redis kill -9, restarted empty",
    "PostgreSQL immediate restart",
)


def _kill_companion(scene: Scene) -> None:
    """Twice; it is started again only once something was executed in its absence."""
    for first in (0.1, 0.4):
        scene.between(first, first + 0.1)
        _away(scene)


def _away(scene: Scene) -> None:
    peer = cast(Peer, scene.ground.broker)
    accepted = peer.count("accept")
    wait_until(lambda: peer.count("accept") > accepted, PATIENCE, "an order to be accepted")
    scene.strike()
    scene.ground.kill_companion()
    executed = peer.count("execution")
    wait_until(lambda: peer.count("execution") > executed, PATIENCE, "an execution meanwhile")
    _back(scene)


def _back(scene: Scene) -> None:
    scene.ground.mend(**scene.ground.env)
    scene.heal()


def _kill_unacknowledged(scene: Scene) -> None:
    """Three orders: accepted and not acknowledged, lost on the way, and taken up by TWS only when
    the process that sent it is gone."""
    tws = cast(Tws, scene.ground.broker)
    ways: dict[str, Callable[[], object]] = {
        "accepted": lambda: tws.hand.do("once", silent=True),
        "lost": lambda: tws.hand.do("once", lose=True),
        "taken up late": lambda: tws.hand.do("set", hang=True),
    }
    for first, hold in zip((0.1, 0.4, 0.7), ways.values(), strict=True):
        scene.between(first, first + 0.05)
        hold()
        before = tws.count("attempt")
        wait_until(lambda: tws.count("attempt") > before, PATIENCE, "a placement to leave")  # noqa: B023
        scene.strike()
        scene.ground.kill_companion()
        tws.hand.do("set", hang=False)
        _back(scene)


def _restart_tws(scene: Scene) -> None:
    """As it does once a day: nobody is let in for some seconds, and its orders live on."""
    tws = cast(Tws, scene.ground.broker)
    scene.between(0.2, 0.4)
    scene.strike()
    tws.hand.do("down")
    time.sleep(scene.rng.uniform(2, 5))
    tws.hand.do("up")
    scene.heal()


def _away_for_a_minute(scene: Scene) -> None:
    """The broker answers nothing; the database knows of it within five seconds."""
    peer = cast("Alpaca | Tws", scene.ground.broker)
    scene.between(0.1, 0.2)
    scene.strike()
    peer.leave()
    try:
        wait_until(_known_to_be_down, KNOWN_WITHIN, "the database to know that the broker is away")
        time.sleep(MINUTE)
    finally:
        peer.come_back()
    wait_until(lambda: not _known_to_be_down(), PATIENCE, "the database to know that it is back")
    scene.heal()


def _known_to_be_down() -> bool:
    return BrokerLink.objects.filter(up=False).exists()


def _leave_executions_unanswered(scene: Scene) -> None:
    """Two questions, and the connection lost as well."""
    tws = cast(Tws, scene.ground.broker)
    scene.between(0.2, 0.4)
    scene.strike()
    tws.hand.do("set", mute_executions=2)
    tws.hand.do("cut")
    wait_until(_known_to_be_down, KNOWN_WITHIN, "the database to know that nothing is sent")
    wait_until(lambda: not _known_to_be_down(), PATIENCE, "the questions to be put again")
    scene.heal()


def _tell_again(scene: Scene) -> None:
    """Every few seconds, for the whole window."""
    peer = cast("Alpaca | Tws", scene.ground.broker)
    while time.time() < scene.started + scene.seconds:
        time.sleep(scene.seconds / 6)
        peer.tell_again(scene.rng)


ALPACA = {
    "answers lost, cut short, 429 and 500": Fault(nothing, conduct={"weather": 0.25}),
    "executions repeated and late, stream cut": Fault(
        _tell_again, conduct={"repeat": 2, "activity_lag": 1.0, "settle": 0.5}
    ),
    "Alpaca away for a minute": Fault(_away_for_a_minute, seconds=120.0),
    "listener kill -9, fills while it is away": Fault(_kill_companion, seconds=40.0),
    "200 slices due at once, 1,200 requests/min": Fault(
        nothing,
        conduct={"per_minute": 1200},
        env={"ALPACA_REQUESTS_PER_MINUTE": "1200"},
        together=200,
    ),
}
IBKR = {
    "requests and answers lost, connection cut": Fault(
        nothing, conduct={"lose": 0.04, "silent": 0.04, "cut_before": 0.02, "cut_after": 0.02}
    ),
    "executions repeated": Fault(_tell_again, conduct={"repeat": 1}),
    "TWS restarted": Fault(_restart_tws),
    "TWS away for a minute": Fault(_away_for_a_minute, seconds=120.0),
    "reqExecutions unanswered, connection cut": Fault(_leave_executions_unanswered),
    "gateway kill -9 between send and acknowledgement": Fault(
        _kill_unacknowledged, conduct={"idle": 0.0}, seconds=40.0
    ),
    "gateway kill -9, fills while it is away": Fault(
        _kill_companion, conduct={"fill_seconds": 2}, seconds=40.0
    ),
    "200 slices due at once, 45 messages/s": Fault(nothing, together=200),
}


def of(venue: str) -> dict[str, Fault]:
    """The faults of a run, by the venue's name."""
    own = {"alpaca": ALPACA, "ibkr": IBKR}.get(venue)
    if own is None:
        return FAULTS
    return {name: replace(FAULTS[name], within=None) for name in COMMON} | own
