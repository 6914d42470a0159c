"""A message that names a task which no worker knows is lost: every name is known, old ones too.
Flower is told of what happens to slices, not of the questions that are asked every second."""

import pytest

from deepstack.celery import app
from execution import task_queue

PUBLISHED = [
    task_queue.SEND,
    task_queue.RESOLVE,
    task_queue.CLOSE,
    task_queue.POLL,
    "monitoring.tasks.send_alerts",
]
OF_RELEASE_1_0 = {
    "execution.tasks.hear_broker": "settle",
    "monitoring.tasks.watch": "reports",
    "monitoring.tasks.deliver": "reports",
}


@pytest.fixture(scope="module", autouse=True)
def _found() -> None:
    app.loader.import_default_modules()


def test_every_published_task_is_registered() -> None:
    scheduled = [entry["task"] for entry in app.conf.beat_schedule.values()]
    assert {*PUBLISHED, *scheduled} <= set(app.tasks)
    assert not set(OF_RELEASE_1_0) & {*PUBLISHED, *scheduled}


@pytest.mark.parametrize(("name", "queue"), OF_RELEASE_1_0.items())
def test_messages_of_the_release_before_are_still_taken(name: str, queue: str) -> None:
    assert name in app.tasks
    assert app.amqp.router.route({}, name)["queue"].name == queue


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (task_queue.SEND, True),
        (task_queue.RESOLVE, True),
        (task_queue.CLOSE, True),
        (task_queue.POLL, False),
        ("monitoring.tasks.evaluate_alerts", False),
        ("monitoring.tasks.build_summaries", True),
    ],
)
def test_what_comes_every_second_tells_flower_nothing(name: str, *, told: bool) -> None:
    assert app.tasks[name].send_events is told
