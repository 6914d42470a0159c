"""The libraries that the processes of the service import, read once for all of them.

Imported by the fork server alone (`fork_server`). None of these starts a thread, opens a connection
or reads Django's settings: those belong to the process that is forked, and to its environment.
"""

import gc
import os
from contextlib import suppress

import celery.bin.celery
import django.contrib.admin.sites
import django.core.management.commands.migrate
import django.db.backends.postgresql.base
import django.test.client
import django_filters
import drf_spectacular.drainage
import gunicorn.app.wsgiapp
import kombu.transport.redis
import psutil
import pydantic_settings
import redis.asyncio
import requests
import rich.progress
import structlog
import uvicorn.protocols.http.auto

__all__ = [
    "celery",
    "django",
    "django_filters",
    "drf_spectacular",
    "gunicorn",
    "kombu",
    "psutil",
    "pydantic_settings",
    "redis",
    "requests",
    "rich",
    "structlog",
    "uvicorn",
]

# A terminal that closes ends whoever started the fork server, and that one stops in order.
with suppress(PermissionError):  # it leads a session already
    os.setsid()
gc.collect()
gc.freeze()  # what stands here is never collected, and its pages stay shared
