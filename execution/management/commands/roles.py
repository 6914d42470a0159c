from typing import Any

from django.core.management.base import CommandError
from typing_extensions import override

from execution.management.console import OperatorCommand
from execution.management.roles import MissingPermission, ensure_roles


class Command(OperatorCommand):
    help = "Create the groups Viewer, Trader and Risk, or give them their permissions again."
    speaks_json = False

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            groups = ensure_roles()
        except MissingPermission as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"groups: {', '.join(group.name for group in groups)}")
