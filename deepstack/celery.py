"""The Celery application: Redis carries ETA tasks, PostgreSQL knows what they are about."""

import os
from concurrent.futures import wait
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

from celery import Celery, Task, bootsteps
from celery.schedules import crontab
from celery.signals import beat_init, setup_logging, task_prerun, worker_init
from celery.utils.dispatch import Signal
from celery.worker.components import Pool

from deepstack import latency_tuning
from deepstack.database import thread_connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deepstack.settings")
# Celery ignores what Django's checks find, and they import every page of the web.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

WARM_SECONDS = 10.0


class LoopTask(Task):  # type: ignore[type-arg]  # subscripted in stubs only
    """Called in the event loop of a worker, with its ETA as `eta`: it must not wait for anything.
    Celery's own way of running a task costs more than such a one does."""

    abstract = True
    Strategy = "deepstack.celery_strategy:in_the_loop"


thread_began = Signal(name="thread_began")
pool_began = Signal(name="pool_began")  # one of threads
pool_ends = Signal(name="pool_ends")  # no task arrives any more


class WarmThreads(bootsteps.StartStopStep):
    """A thread is started when all others are busy, and would open its connection just then: each
    tells `thread_began` before the first task can arrive."""

    requires = (Pool,)

    def start(self, parent: Any) -> None:
        threads = getattr(parent.pool, "executor", None)
        if threads is None:
            return  # a pool of processes
        pool_began.send(sender=None)
        together = Barrier(parent.pool.limit)
        begun = [threads.submit(_begin, together) for _ in range(parent.pool.limit)]
        wait(begun, timeout=WARM_SECONDS)
        together.abort()

    def stop(self, parent: Any) -> None:
        pool_ends.send(sender=None)


def _begin(together: Barrier) -> None:
    """Ends when all have begun, so that none begins twice. A signal logs what its receivers raise:
    without PostgreSQL a thread is simply cold."""
    thread_began.send(sender=None)
    with suppress(BrokenBarrierError):
        together.wait()


@setup_logging.connect
def _leave_logging_alone(**_: object) -> None:
    """The settings have set it up. Without a listener Celery adds handlers and changes levels."""


@worker_init.connect
def _be_quick(**_: object) -> None:
    from deepstack import observability  # reads where the configuration is

    latency_tuning.be_quick()
    observability.take_part("worker")


@beat_init.connect
def _name_beat(**_: object) -> None:
    from deepstack import observability  # reads where the configuration is

    observability.name_process("beat")


@task_prerun.connect
def _drop_broken_connections(**_: object) -> None:
    """A task that fails by a broken one is enqueued again."""
    thread_connection.refresh()


app = Celery("deepstack")
app.config_from_object("deepstack.celery_settings")
app.autodiscover_tasks(["execution", "monitoring"])
app.steps["worker"].add(WarmThreads)

# None expires: that would be judged by the clock of the worker, which may be wrong. What has become
# useless while nobody took it finds that out from the rows.
app.conf.beat_schedule = {
    # Every session that has closed and has no summary yet gets one: what was missed while beat
    # was down is caught up at the next turn.
    "daily-summaries": {
        "task": "monitoring.tasks.build_summaries",
        "schedule": crontab(minute="*/5"),
    },
    # Learns when a session has ended since the last learning; else it costs a query per symbol.
    "learn-profiles": {
        "task": "execution.tasks.learn_profiles",
        "schedule": crontab(minute=20),
    },
    # Each night after the extended hours; what was missed while beat was down is caught up.
    "compare-with-the-broker": {
        "task": "execution.tasks.compare_accounts",
        "schedule": crontab(minute="*/15"),
        "options": {"queue": "reports"},
    },
    # Each turn lasts seconds at most; orders of days that are over, once each.
    "replay-orders": {
        "task": "monitoring.tasks.replay_orders",
        "schedule": crontab(hour="0-7"),
    },
    # An alert must be out within five seconds of its event.
    "watch-executions": {
        "task": "monitoring.tasks.evaluate_alerts",
        "schedule": 1.0,
    },
}
