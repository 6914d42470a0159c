from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from typing_extensions import override

from deepstack.config import current
from deepstack.config_breakers import Breaker
from execution.domain.exchange_time import exchange_time
from execution.management.console import OperatorCommand
from monitoring.breakers import drill, rules, trips
from monitoring.models import BreakerTrip


class Command(OperatorCommand):
    help = (
        "The circuit breakers: threshold, action and cool-down of each, and what they hold now."
        " --drill trips each on paper and shows that it holds. What one holds goes on by"
        " `manage.py resume_trading` with its scope (an order: `manage.py resume ID`)."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--drill", action="store_true", help="on paper: trip each, then resume")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        if options["drill"]:
            self._drill(options)
            return
        settings, held = current().breakers.by_name(), list(trips.open_trips())
        if options["json"]:
            configured = {name: each.model_dump(mode="json") for name, each in settings.items()}
            self.print_json({"breakers": configured, "holding": [as_plain(trip) for trip in held]})
            return
        for name, each in settings.items():
            self.stdout.write(f"{name:16} {_words(name, each)}")
        for trip in held:
            self.stdout.write(
                f"holding {trip.scope} {trip.key}: {trip.breaker}, {trip.words}; since"
                f" {exchange_time(trip.tripped_at_real)}, cool-down until"
                f" {exchange_time(trip.cooldown_until_real)}"
            )
        if not held:
            self.stdout.write("none holds anything now")

    def _drill(self, options: dict[str, Any]) -> None:
        if current().trading_mode != "paper":
            raise CommandError("a drill halts and sends for practice: on paper only")
        results = drill.run()
        if options["json"]:
            self.print_json([asdict(each) for each in results])
        for each in results if not options["json"] else ():
            said = each.problem or f"held {each.held}, and let go after a person resumed it"
            self.stdout.write(f"{each.breaker:16} {said}")
        if any(each.problem for each in results):
            raise CommandError("not every breaker held")


def _words(name: str, setting: Breaker) -> str:
    if setting.threshold is None:
        return "no threshold set"
    bound = rules.shown(name, setting.threshold)
    return f"{bound}: {setting.action}, cool-down {setting.cooldown_minutes:g} min"


def as_plain(trip: BreakerTrip) -> dict[str, Any]:
    return {
        "id": trip.pk,
        "breaker": trip.breaker,
        "scope": trip.scope,
        "key": trip.key,
        "words": trip.words,
        "tripped": trip.tripped_at_real,
        "cooldown_until": trip.cooldown_until_real,
    }
