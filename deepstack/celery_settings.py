"""Settings of every Celery process, each with its reason."""

import ssl
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

# Kombu names both the scheme of a socket and its database number in its own way.
broker_url = (
    settings.REDIS_URL.replace("unix://", "redis+socket://", 1).replace("db=", "virtual_host=", 1)
    if settings.REDIS_URL.startswith("unix://")
    else settings.REDIS_URL
)
# The certificate of rediss:// is verified, as by the other clients of Redis: Kombu would take any,
# and Flower reads nothing but this.
_address = urlsplit(settings.REDIS_URL)
broker_use_ssl = (
    {key: value for key, value in parse_qsl(_address.query) if key.startswith("ssl_")}
    | {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    if _address.scheme == "rediss"
    else False
)
# The database decides what happened; a result backend would be a second, weaker memory.
result_backend = None
task_ignore_result = True

accept_content = ["json"]
task_serializer = result_serializer = event_serializer = "json"

# The beat timetable is written in exchange time; the two must agree.
timezone = "America/New_York"
enable_utc = True

# A message only wakes a worker. It is acknowledged at once and never retried by Celery: the
# dispatch loop enqueues again whatever the database says is still due.
task_acks_late = False
task_publish_retry = False
worker_prefetch_multiplier = 1

broker_transport_options = {
    # Redis keeps no second copy of the messages that a worker holds: what a killed worker held
    # comes back from the database within a second, and keeping the copies is a quarter of the
    # cost of a message.
    "ack_emulation": False,
    # A frozen or half-open Redis is noticed after seconds instead of most of a minute.
    "health_check_interval": 5,
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    # Who publishes gets an error at once when Redis is away, instead of waiting through retries: an
    # order is stored by then, and the dispatch loop enqueues it later.
    "max_retries": 0,
}
# None is for ever: a worker that gives up on Redis after a hundred tries would never send again.
broker_connection_max_retries = None
broker_connection_retry_on_startup = True
broker_connection_timeout = 2
worker_consumer = "deepstack.celery_consumer:Consumer"  # comes back soon after Redis does
# A web request must not hang in the pool while Redis is down.
broker_pool_limit = 10
broker_pool_acquire_timeout = 2

# Orders to stop let the sends in progress finish; pending ETA tasks are dropped and enqueued again.
worker_soft_shutdown_timeout = 20
worker_enable_soft_shutdown_on_idle = True
worker_cancel_long_running_tasks_on_connection_loss = False

# Celery closes the database connection around every task. It need not: each thread keeps one, and
# `deepstack.celery` sees to it that a task does not begin with a broken one.
CELERY_DB_REUSE_MAX = 10**9

worker_send_task_events = True  # for Flower
# A "sent" event for each task would double the work of publishing, and says no more than the
# "received" that follows within milliseconds: workers take ETA tasks at once.
task_send_sent_event = False
worker_max_memory_per_child = None

task_default_queue = "slices"
task_routes = {
    "execution.tasks.send_slice": {"queue": "slices"},
    "execution.tasks.learn_profiles": {"queue": "reports"},
    "execution.tasks.*": {"queue": "settle"},
    "monitoring.tasks.*": {"queue": "reports"},
}
