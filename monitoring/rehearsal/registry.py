"""Every scene, in the order in which they are played."""

from monitoring.rehearsal.behind_schedule import BehindSchedule
from monitoring.rehearsal.exchange_halt import ExchangeHalt
from monitoring.rehearsal.mistyped_price import MistypedPrice
from monitoring.rehearsal.paused_order import PausedOrder
from monitoring.rehearsal.position_break import PositionBreak
from monitoring.rehearsal.runaway import Runaway
from monitoring.rehearsal.scene import Scene

_PLAYED: tuple[type[Scene], ...] = (
    Runaway,
    BehindSchedule,
    MistypedPrice,
    ExchangeHalt,
    PositionBreak,
    PausedOrder,
)
SCENES = {scene.name: scene for scene in _PLAYED}
