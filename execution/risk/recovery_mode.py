"""Recovery mode: the whole system is halted while its rows may be older than the broker's book.

It begins when `manage.py restore` has restored a backup, when the rows name another physical
database than the one they are in (restored, copied or moved by other means), and when Redis
remembers a newer event than the database has. `execution.reconciliation.recovery` ends it.
"""

from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from django.db import Error, connection, transaction
from django.db.models import Max
from django.db.models.functions import Now
from django.utils import timezone
from redis.exceptions import RedisError

from deepstack.redis_check import client
from execution.domain.holds import RECOVERY_MODE
from execution.market import clock
from execution.models import BrokerAccount, DatabaseOrigin, OrderEvent, Recovery, TradingState
from execution.risk import kill_switch

log = structlog.get_logger(__name__)

# A managed server may hide its identifier from the service's role; the number it shows to all.
_ORIGIN = """
SELECT CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE')
            THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE '' END,
       oid::bigint,
       CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END
FROM pg_database WHERE datname = current_database()
"""
SETTLED_AFTER = timedelta(seconds=10)
_KEPT = timedelta(days=30)  # in Redis


def current() -> Recovery | None:
    """The recovery that nobody has released yet."""
    return Recovery.objects.filter(released_at_real__isnull=True).order_by("pk").first()


def check() -> Recovery | None:
    """The recovery that lasts; begun now where the database is another than it was, or older.

    Asked at the start of every process that sends, and every second. Not inside a transaction.
    """
    if (lasting := current()) is not None:
        return lasting
    known, own = _known(), _origin()
    if cause := _moved(known, own) or _rewound():
        return begin(cause)
    if own.timeline and own.timeline != known.timeline:
        _compare_anew()
    return None


def begin(cause: str, *, backup: datetime | None = None) -> Recovery:
    """Halt the system until a person has compared and releases it. `backup`: when the backup was
    taken. From now on the rows belong to the database that they are in."""
    before = halted_by_somebody()
    # First the halt: whoever dies after it leaves a halted system, and the cause is found again.
    kill_switch.halt(
        scope=TradingState.Scope.SYSTEM,
        key="",
        by=RECOVERY_MODE,
        reason=f"{cause}: see manage.py recovery"[:300],
        now=clock.now(),
    )
    with transaction.atomic():
        adopt()
        DatabaseOrigin.objects.select_for_update().get(pk=1)
        if (lasting := current()) is not None:
            return lasting
        forget_newest_event()
        log.critical("recovery mode: nothing is sent", cause=cause)
        return Recovery.objects.create(
            cause=cause[:300],
            began_at_real=timezone.now(),
            backup_at_real=backup,
            was_halted=before,
        )


def halted_by_somebody() -> str:
    """Why the system is halted, by others than recovery mode; it stays so after the release. Empty
    where nobody has halted it."""
    row = TradingState.objects.filter(scope=TradingState.Scope.SYSTEM).exclude(
        changed_by=RECOVERY_MODE
    )
    halted = row.filter(state=TradingState.State.HALTED).first()
    return f"by {halted.changed_by}: {halted.reason}"[:300] if halted else ""


def adopt() -> DatabaseOrigin:
    """Let the rows belong to the physical database that they are in."""
    own = _origin()
    own.pk = 1
    own.save()
    return own


def check_quietly() -> None:
    """`check`, for a process that starts while PostgreSQL may be away: nothing is sent then, and
    the evaluation of alerts asks again each second."""
    try:
        check()
    except Error as error:
        log.warning("not checked where the database comes from", error=str(error).strip())
        connection.close()


def note_newest_event() -> None:
    """Let Redis remember how far the events go. It may forget: this is the second sign of a
    database that is older than it was, never the only one."""
    # Commits that did not wait for the disk are on it by then: a crash of PostgreSQL is no restore.
    settled = OrderEvent.objects.filter(recorded_at_real__lt=Now() - SETTLED_AFTER).order_by("-pk")
    newest = settled.values_list("pk", flat=True).first()
    with suppress(RedisError):
        if newest:
            client().set(_key(), newest, ex=_KEPT)


def forget_newest_event() -> None:
    """What Redis remembers is of rows that are gone, as the recovery says from now on."""
    try:
        client().delete(_key())
    except RedisError as error:
        log.warning("Redis still remembers the newest event", error=str(error))


def _known() -> DatabaseOrigin:
    return DatabaseOrigin.objects.filter(pk=1).first() or adopt()


def _moved(known: DatabaseOrigin, own: DatabaseOrigin) -> str:
    hidden = not own.system or not known.system
    if own.database == known.database and (hidden or own.system == known.system):
        return ""
    return (
        f"these rows were written in {known} and are now in {own}: a backup was restored, or the"
        " database copied"
    )


@transaction.atomic
def _compare_anew() -> None:
    """A standby was promoted, and may have missed the last commits: live accounts send nothing
    until each was compared again."""
    BrokerAccount.objects.update(due_at_real=timezone.now())
    adopt()
    log.warning("PostgreSQL has another primary: accounts are compared before anything is sent")


def _rewound() -> str:
    try:
        remembered = int(client().get(_key()) or 0)
    except RedisError:
        return ""
    newest = _newest_event()
    if remembered <= newest:
        return ""
    return f"Redis remembers event {remembered:,}, and the newest in the database is {newest:,}"


def _newest_event() -> int:
    return OrderEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0


def _key() -> str:
    return f"deepstack:newest_event:{connection.settings_dict['NAME']}"


def _origin() -> DatabaseOrigin:
    with connection.cursor() as cursor:
        cursor.execute(_ORIGIN)
        system, database, timeline = cursor.fetchone()
    return DatabaseOrigin(system=system, database=database, timeline=timeline)
