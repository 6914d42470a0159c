"""How much of each minute's volume the paper exchange has given away: one budget for a symbol and a
minute, shared by the orders that arrive in it and those that rest."""

from collections.abc import Mapping
from datetime import datetime

from deepstack import django_setup

django_setup.ensure()

from deepstack.database.statement import run  # noqa: E402
from execution.models import PaperVolume  # noqa: E402

# The row stays locked until the transaction ends: who comes at the same time sees what is left. Its
# commit does not wait for the disk, or all who trade in the symbol would, one after the other.
_TAKE = """
    INSERT INTO execution_papervolume AS known (symbol, minute, taken, granted)
    VALUES (%s, %s, least(%s::bigint, %s::bigint), least(%s::bigint, %s::bigint))
    ON CONFLICT (symbol, minute) DO UPDATE SET
        granted = least(%s::bigint, greatest(%s::bigint - known.taken, 0)),
        taken = known.taken + least(%s::bigint, greatest(%s::bigint - known.taken, 0))
    RETURNING granted, set_config('synchronous_commit', 'off', true)
"""

_NOTE = """
    INSERT INTO execution_papervolume AS known (symbol, minute, taken, granted)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (symbol, minute) DO UPDATE SET
        taken = known.taken + excluded.taken, granted = excluded.granted
"""


def take(symbol: str, at: datetime, *, wanted: int, volume: int) -> int:
    """Shares of the minute's `volume` that are left, up to those `wanted`; they are taken, by a
    transaction that is over at once."""
    both = (wanted, volume)
    row = run(_TAKE, (symbol, minute_of(at), *both, *both, *both, *both)).fetchone()
    return int(row[0]) if row else 0


def note(symbol: str, minute: datetime, quantity: int) -> None:
    """Count what resting orders got of a minute."""
    run(_NOTE, (symbol, minute, quantity, quantity))


def taken(symbol: str, first: datetime, last: datetime) -> Mapping[datetime, int]:
    """What is taken of each minute from that of `first` to that of `last`; its row is locked."""
    rows = PaperVolume.objects.select_for_update().filter(
        symbol=symbol, minute__gte=minute_of(first), minute__lte=minute_of(last)
    )
    return dict(rows.order_by("minute").values_list("minute", "taken"))


def minute_of(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
