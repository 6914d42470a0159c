"""The first person who may sign in."""

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

from execution.checks import CONFIGURATION


class Command(BaseCommand):
    help = (
        "Create the administrator `admin` and print the generated password, which is kept nowhere."
        " Prints nothing when there is an administrator already."
    )
    requires_system_checks = (CONFIGURATION,)

    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model()._default_manager
        if users.filter(is_superuser=True).exists():
            return
        password = secrets.token_urlsafe(12)
        users.create_superuser("admin", password=password)
        self.stdout.write(password)
