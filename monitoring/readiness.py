"""What the readiness page says about the way to a person."""

from collections.abc import Mapping

from deepstack.config import Config
from execution.domain.exchange_time import exchange_time
from monitoring.channels import configured
from monitoring.models import ChannelHealth


def alert_channels(config: Config) -> Mapping[str, object]:
    """Never a reason to be not ready: orders are executed all the same. Names no address, for
    nobody has logged in to read it."""
    failing = ChannelHealth.objects.filter(
        failing_since_real__isnull=False, channel__in=configured(config)
    )
    words = [
        f"{row.channel} {'refuses alerts' if row.refused else 'takes no alerts'} since"
        f" {exchange_time(row.failing_since_real)}"
        for row in failing.order_by("channel")
        if row.failing_since_real
    ]
    if not words:
        return {"ok": True}
    return {"ok": True, "reason": f"{'; '.join(words)}: run `manage.py test_alert`"}
