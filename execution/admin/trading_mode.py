"""The label on every page of the back office: whose money is traded, and how far fills go."""

from django.http import HttpRequest

from deepstack.config import current


def label(request: HttpRequest) -> tuple[str, str]:
    """Words and the colour of unfold's labels."""
    config = current()
    if config.trading_mode == "live":
        return "Live", "danger"
    if config.paper.impact.coefficient == 0:
        return "Paper, no impact", "warning"
    return "Paper", "info"
