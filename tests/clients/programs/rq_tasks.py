"""What the workers of test_rq.py run."""

import os
import threading

import redis
from rq import get_current_job


def add(a, b):
    return a + b


def fail_until(times):
    """Fails as often as `times` says, and then tells how often it ran."""
    runs = redis.from_url(os.environ["REDIS_URL"]).incr(f"runs:{get_current_job().id}")
    if runs <= times:
        raise ValueError(f"failure {runs}")
    return runs


def total():
    """The sum of what the jobs that this one waited for have returned."""
    return sum(job.return_value() for job in get_current_job().fetch_dependencies())


def report_progress():
    job = get_current_job()
    job.meta["progress"] = 42
    job.save_meta()
    return os.getpid()


def hang():
    connection = redis.from_url(os.environ["REDIS_URL"])
    connection.rpush("hanging", get_current_job().id)
    threading.Event().wait()


def on_success(job, connection, result, *_):
    connection.set(f"success:{job.id}", result)


def on_failure(job, connection, kind, *_):
    connection.set(f"failure:{job.id}", kind.__name__)
