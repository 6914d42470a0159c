"""Wiring: configuration, settings, the Celery application, addresses and health."""

from deepstack.celery import app as celery_app

__all__ = ["celery_app"]
