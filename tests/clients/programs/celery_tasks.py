"""The tasks of test_celery.py, and the Celery application that they belong to."""

import os

import redis
from celery import Celery

# What a worker that died had taken is anybody's again after so many seconds.
VISIBILITY = 2

app = Celery(broker=os.environ.get("REDIS_URL"), backend=os.environ.get("REDIS_URL"))
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": VISIBILITY},
    result_extended=True,
    task_track_started=True,
    worker_prefetch_multiplier=1,
)


def connection():
    return redis.from_url(os.environ["REDIS_URL"])


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def fail_until(self, times):
    """Fails as often as `times` says, and then tells how often it was tried again."""
    if self.request.retries < times:
        raise self.retry(countdown=0.05, exc=ValueError("not yet"))
    return self.request.retries


@app.task(bind=True)
def report_progress(self):
    self.update_state(state="PROGRESS", meta={"done": 42})
    connection().blpop("go on", 60)
    return "done"


@app.task(bind=True, acks_late=True)
def die_at_first(self):
    """Hangs until its worker is killed; is done when it runs again."""
    if connection().incr(f"runs:{self.request.id}") == 1:
        connection().rpush("hanging", self.request.id)
        connection().blpop("never", 600)
    return "rescued"
