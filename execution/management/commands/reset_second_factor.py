from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from typing_extensions import override

from execution.access import second_factor
from execution.domain import reading
from execution.management.console import BadInput, OperatorCommand, add_person
from execution.risk import second_person


class Command(OperatorCommand):
    help = (
        "Take a person's second factor away, with recovery codes and API token, so that the next"
        " login enrols another phone. Make sure by voice or in person who asks for it."
    )
    permission = "auth.change_user"

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER", help="the name at the login")
        parser.add_argument("--reason", required=True, type=reading.remark, help="for the record")
        add_person(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        name, by, reason = options["user"], options["by"], options["reason"].strip()
        user = User.objects.filter(username=name).first()
        if user is None:
            raise BadInput(f"there is no user {name}")
        if not reason:
            raise BadInput("--reason is empty: say why")
        second_person.require(f"second factor of {name}: reset", by=by, reason=reason)
        second_factor.reset(user, by=by, reason=reason)
        if options["json"]:
            self.print_json({"user": name, "reset_by": by})
        else:
            self.stdout.write(f"second factor of {name} reset by {by}: the next login enrols")
