"""Lets a plain script import the public classes without any set-up of its own."""

import os

import django
from django.apps import apps


def ensure() -> None:
    """Configure Django unless the process, or the start that is under way, already has."""
    if not apps.models_ready:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deepstack.settings")
        django.setup()
