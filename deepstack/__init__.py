"""Wiring: configuration, settings, the Celery application, addresses and health."""

from deepstack import latency_tuning

latency_tuning.rarely_look_for_garbage()

from deepstack.celery import app as celery_app  # noqa: E402  loads most of what there is

__all__ = ["celery_app"]
