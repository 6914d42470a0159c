"""`deepstack`: what a trader needs from a terminal. Everything else stays under `manage.py`."""

import sys

from deepstack import manage
from deepstack.pipes import until_nobody_reads

COMMANDS = {
    "up": "run the service until Ctrl-C",
    "demo": "run the guide's scenarios on a paper market, then stop",
    "preview": "what an order would become and cost; nothing is stored",
    "order": "submit an order and follow it",
    "orders": "the orders that are open, and today's",
    "explain": "one order's audit trail: every decision with its numbers",
    "amend": "change an order that is working",
    "pause": "keep an order from sending",
    "resume": "let a paused order go on",
    "cancel": "end an order",
    "halt": "kill switch: for all, a symbol, an account or a strategy",
    "resume_trading": "lift a halt",
    "breakers": "circuit breakers and what they hold; --drill trips each",
    "rehearse": "train on paper: put real troubles right, one by one",
    "summary": "a day's executions, costs and quality",
    "tca": "what execution cost over a period, and where",
    "replay": "what an order would have cost by the other algorithms",
    "reconcile": "compare orders, fills, positions and cash with the broker",
    "verify": "compute every order anew from its fills and events",
    "backup": "back up the database while the service runs",
    "archive": "take the parts of long ended orders into files",
    "restore": "put a backup in its place, in recovery mode",
    "recovery": "compare after a restore, then release trading",
    "accept_break": "accept the shares that the broker has of a symbol",
    "check_broker": "say what works and what is missing at a broker",
    "test_alert": "send a test alert to every channel and say what came of it",
    "load_bars": "store a file of one-minute bars",
    "learn_profiles": "learn volume profiles from stored bars",
    "tune_forecast": "look for better constants of the volume forecast",
    "calibrate_slippage": "learn cost coefficients from your own orders",
    "check": "say which settings are wrong or missing",
}
_STACK = ("up", "demo")


def main() -> int:
    """Run one command; a name may be written with hyphens, such as `check-broker`."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help", "help"):
        with until_nobody_reads():
            _show_help()
        return 0
    name = words[0].replace("-", "_")
    if name not in COMMANDS:
        sys.stderr.write(f"deepstack: no command {words[0]!r}; `deepstack help` lists them\n")
        return 2
    if name in _STACK:
        from deepstack.local import (
            stack,  # reads the configuration, which a wrong word should not need
        )

        return stack.main([name, *words[1:]])
    manage.main([name, *words[1:]])
    return 0


def _show_help() -> None:
    lines = [f"  {name.replace('_', '-'):19} {text}" for name, text in COMMANDS.items()]
    usage = "usage: deepstack COMMAND [options]; `deepstack COMMAND --help` says which"
    sys.stdout.write("\n".join([usage, "", *lines, ""]))


if __name__ == "__main__":
    sys.exit(main())
