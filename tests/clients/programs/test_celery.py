"""Celery: the server as broker and as the place of results, and workers in processes of their own."""

import datetime
import os
import pathlib
import sys
import time
import unittest

import redis
from celery import chain, chord, group
from celery.exceptions import TimeoutError as CeleryTimeout

from harness.process import Program, until
from harness.server import start_server

server = start_server()
os.environ["REDIS_URL"] = server.url

from programs import celery_tasks as tasks  # Reads REDIS_URL.

# Safety net, in seconds.
LIMIT = 60


def start_worker(*options):
    celery = pathlib.Path(sys.executable).with_name("celery")
    command = [celery, "-A", "programs.celery_tasks", "worker", "--loglevel", "ERROR", *options]
    return Program(command, REDIS_URL=server.url)


class CeleryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.connection = redis.from_url(server.url)
        cls.worker = start_worker("--hostname", "one@test", "--pool", "prefork", "--concurrency", "2")
        until(lambda: tasks.app.control.ping(timeout=0.5))

    @classmethod
    def tearDownClass(cls):
        cls.worker.kill()
        tasks.app.close()

    def test_results(self):
        """tasks are run, and give results"""
        results = [tasks.add.delay(n, 1) for n in range(50)]
        self.assertEqual([result.get(timeout=LIMIT) for result in results], list(range(1, 51)))
        self.assertEqual(results[0].args, [0, 1])
        results[0].forget()
        self.assertFalse(self.connection.exists(f"celery-task-meta-{results[0].id}"))

    def test_failure(self):
        """a failure comes back as the exception that it was"""
        with self.assertRaises(TypeError):
            tasks.add.delay(1, "one").get(timeout=LIMIT)

    def test_retries(self):
        """what fails is tried again, and fails in the end"""
        self.assertEqual(tasks.fail_until.delay(3).get(timeout=LIMIT), 3)
        with self.assertRaisesRegex(ValueError, "not yet"):
            tasks.fail_until.delay(4).get(timeout=LIMIT)

    def test_chain(self):
        """chains and groups"""
        steps = chain(tasks.add.s(1, 2), tasks.add.s(3), tasks.add.s(4))
        self.assertEqual(steps.delay().get(timeout=LIMIT), 10)
        many = group(tasks.add.s(n, n) for n in range(10)).delay()
        self.assertEqual(many.get(timeout=LIMIT), [2 * n for n in range(10)])

    def test_chord(self):
        """a chord runs its end once, when all parts are done"""
        results = [chord(tasks.add.s(n, 1) for n in range(20))(tasks.total.s()) for _ in range(5)]
        self.assertEqual([result.get(timeout=LIMIT) for result in results], [210] * 5)

    def test_countdown(self):
        """a task waits for its time"""
        due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
        result = tasks.add.apply_async((1, 1), eta=due)
        result.get(timeout=LIMIT)
        self.assertGreaterEqual(result.date_done, due)

    def test_states(self):
        """a task tells its progress"""
        result = tasks.report_progress.delay()
        until(lambda: result.state == "PROGRESS")
        self.assertEqual(result.info, {"done": 42})
        with self.assertRaises(CeleryTimeout):
            result.get(timeout=0.01)
        self.connection.rpush("go on", 1)
        self.assertEqual(result.get(timeout=LIMIT), "done")

    def test_revoke(self):
        """a task that was revoked does not run, and one that runs is ended"""
        later = tasks.add.apply_async((1, 1), countdown=3600)
        until(lambda: tasks.app.control.inspect(timeout=0.5).scheduled()["one@test"])
        later.revoke()
        running = tasks.report_progress.delay()
        until(lambda: running.state == "PROGRESS")
        running.revoke(terminate=True, signal="SIGKILL")
        until(lambda: running.state == "REVOKED")

    def test_control(self):
        """workers answer to questions that are broadcast"""
        inspect = tasks.app.control.inspect(timeout=0.5)
        registered = until(inspect.registered)
        self.assertIn("programs.celery_tasks.add", registered["one@test"])
        self.assertEqual(until(inspect.stats)["one@test"]["pool"]["max-concurrency"], 2)

    def test_killed(self):
        """what a worker that was killed had taken is run by another"""
        other = start_worker("--hostname", "two@test", "--pool", "solo", "--queues", "fragile")
        result = tasks.die_at_first.apply_async(queue="fragile")
        self.assertIsNotNone(self.connection.blpop("hanging", LIMIT))
        other.kill()
        # A worker that starts looks for what was taken too long ago.
        [(_, taken)] = self.connection.zrange("unacked_index", 0, -1, withscores=True)
        until(lambda: time.time() > taken + tasks.VISIBILITY)
        rescuer = start_worker("--hostname", "three@test", "--pool", "solo", "--queues", "fragile")
        self.assertEqual(result.get(timeout=LIMIT), "rescued")
        rescuer.kill()


if __name__ == "__main__":
    unittest.main()
