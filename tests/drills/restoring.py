"""Yesterday's backup in the place of a database that is gone, with orders that it has never heard
of."""

import time
from pathlib import Path

from django.contrib.auth.models import Group, User
from django.db import connection
from rest_framework.authtoken.models import Token

from execution.access import second_factor
from execution.management import roles
from execution.models import Order
from tests.chaos.audit import Row, accounts
from tests.chaos.ground import Ground
from tests.chaos.venue import wait_until
from tests.drills.flow import Flow
from tests.second_factor import enrolled

KNOWN, FORGOTTEN = ("AAPL", "QQQ"), ("GOOGL",)
QUIET = 4.0  # seconds of recovery mode in which nothing may leave


class DrillFailed(AssertionError):
    """What came of the drill is not what the runbook says."""


def play(ground: Ground, beside: Path) -> tuple[Row, str]:
    """Orders that the backup knows, an order that came after it; everything dies, the backup is
    restored, compared and released."""
    token = _of_risk()
    known, forgotten = Flow(ground, 75.0), Flow(ground, 20.0)
    known.begin(KNOWN)
    known.await_sends(3)
    _managed(ground, "backup", "--to", str(beside))
    forgotten.begin(FORGOTTEN)
    known.await_sends(8)

    known.lose()
    ground.kill_all()
    connection.close()
    _managed(ground, "restore", str(next(beside.glob("*.dump"))))
    restored = time.time()
    ground.mend(**ground.env)
    told = _recovery_mode(ground)
    _expect(FORGOTTEN[0] in told, f"the comparison does not name {FORGOTTEN[0]}: {told}")
    _expect(not known.attempts(restored), "a child left in recovery mode")

    ground.stack.manage(
        *("recovery", "--release", "--by", "eve", "--reason", "drill"), DEEPSTACK_TOKEN=token
    )
    known.heal()
    waited = known.await_next_send(known.back_at)
    known.await_end()
    _expect(not _again(forgotten, restored), "an order that the backup forgot was traded again")
    _expect(not Order.objects.filter(symbol__in=FORGOTTEN).exists(), "the backup knows too much")
    ours = {each.client_order_id for each in known.plan}
    entries = [each for each in ground.broker.entries() if each["client_order_id"] in ours]
    words = f"restored in {restored - known.lost_at:.1f} s, nothing left in recovery mode,"
    return known.verdict("restore", entries), f"{words} the next child {waited:.1f} s after release"


def _again(forgotten: Flow, restored: float) -> bool:
    """Whether the broker took a child of theirs twice, or heard of one after the restore."""
    ours = {each.client_order_id for each in forgotten.plan}
    entries = [e for e in forgotten.ground.broker.entries() if e["client_order_id"] in ours]
    late = any(e["kind"] == "attempt" and e["t"] / 1e9 > restored for e in entries)
    return late or any(account.accepted > 1 for account in accounts(entries).values())


def _recovery_mode(ground: Ground) -> str:
    """What `manage.py recovery` says while nothing leaves."""
    time.sleep(QUIET)
    wait_until(lambda: _compared(ground), 60, "every account to be compared", pause=1.0)
    return ground.stack.manage("recovery").stdout


def _compared(ground: Ground) -> bool:
    told = ground.stack.manage("recovery")
    return "not compared" not in told.stdout and "differences" in told.stdout


def _managed(ground: Ground, *words: str) -> str:
    done = ground.stack.manage(*words)
    _expect(done.returncode == 0, done.stdout + done.stderr)
    return done.stdout


def _of_risk() -> str:
    roles.ensure_roles()
    eve, _ = User.objects.get_or_create(username="eve")
    eve.groups.add(Group.objects.get(name="Risk"))
    if second_factor.device_of(eve) is None:
        enrolled(eve)
    return str(Token.objects.get_or_create(user=eve)[0].key)


def _expect(right: bool, words: str) -> None:
    if not right:
        raise DrillFailed(words)
