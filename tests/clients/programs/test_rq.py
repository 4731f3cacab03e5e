"""RQ: jobs, and workers in processes of their own that run them."""

import datetime
import pathlib
import sys
import unittest

import redis
from rq import Queue, Retry, Worker
from rq.command import send_kill_horse_command, send_stop_job_command
from rq.job import Job
from rq.results import Result

from harness.process import Program, until
from harness.server import start_server
from programs import rq_tasks

# Safety net, in seconds.
LIMIT = 60


class RqTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = start_server()
        cls.connection = redis.from_url(cls.server.url)
        rq = pathlib.Path(sys.executable).with_name("rq")
        command = [rq, "worker", "--url", cls.server.url, "--quiet", "--with-scheduler", "high", "low"]
        cls.workers = [Program(command, REDIS_URL=cls.server.url) for _ in range(2)]
        cls.queue = Queue("low", connection=cls.connection)
        until(lambda: len(Worker.all(connection=cls.connection)) == 2)

    @classmethod
    def tearDownClass(cls):
        for worker in cls.workers:
            worker.kill()
        cls.server.stop()

    def result(self, job, kind=Result.Type.SUCCESSFUL):
        result = job.latest_result(timeout=LIMIT)
        self.assertIsNotNone(result, "the job has come to no end")
        self.assertEqual(result.type, kind, result.exc_string)
        return result.return_value

    def test_jobs(self):
        """jobs are run, and give results"""
        jobs = [self.queue.enqueue(rq_tasks.add, n, b=1) for n in range(20)]
        self.assertEqual([self.result(job) for job in jobs], list(range(1, 21)))
        until(lambda: jobs[-1].get_status(refresh=True) == "finished")
        self.assertEqual(Job.fetch(jobs[0].id, connection=self.connection).args, (0,))
        until(lambda: len(self.queue.finished_job_registry) >= 20)

    def test_failure(self):
        """what fails is kept with its reason"""
        job = self.queue.enqueue(rq_tasks.add, 1, "one")
        self.result(job, Result.Type.FAILED)
        self.assertIn("TypeError", job.latest_result().exc_string)
        until(lambda: job.id in self.queue.failed_job_registry)
        self.queue.failed_job_registry.requeue(job.id)
        until(lambda: len(job.results()) == 2)

    def test_retries(self):
        """what fails is tried again"""
        job = self.queue.enqueue(rq_tasks.fail_until, 2, retry=Retry(max=3))
        until(lambda: job.get_status(refresh=True) == "finished")
        self.assertEqual(self.result(job), 3)

    def test_retries_later(self):
        """what fails is tried again after a while"""
        job = self.queue.enqueue(rq_tasks.fail_until, 1, retry=Retry(max=1, interval=1))
        until(lambda: job.get_status(refresh=True) == "finished")
        self.assertEqual(self.result(job), 2)

    def test_scheduled(self):
        """jobs are run at their time"""
        job = self.queue.enqueue_in(datetime.timedelta(seconds=1), rq_tasks.add, 2, 3)
        due = self.queue.scheduled_job_registry.get_scheduled_time(job)
        self.assertEqual(self.result(job), 5)
        job.refresh()
        self.assertGreaterEqual(job.started_at, due)

    def test_dependencies(self):
        """a job waits for others and sees what they returned"""
        parts = [self.queue.enqueue(rq_tasks.add, n, n) for n in range(3)]
        job = self.queue.enqueue(rq_tasks.total, depends_on=parts)
        self.assertEqual(self.result(job), 6)

    def test_callbacks(self):
        """callbacks after success and failure"""
        good = self.queue.enqueue(rq_tasks.add, 20, 22, on_success=rq_tasks.on_success)
        bad = self.queue.enqueue(rq_tasks.add, 20, "", on_failure=rq_tasks.on_failure)
        self.assertEqual(until(lambda: self.connection.get(f"success:{good.id}")), b"42")
        self.assertEqual(until(lambda: self.connection.get(f"failure:{bad.id}")), b"TypeError")

    def test_progress(self):
        """a job tells its progress, and runs in a process of its own"""
        job = self.queue.enqueue(rq_tasks.report_progress)
        self.assertNotIn(self.result(job), [worker.process.pid for worker in self.workers])
        self.assertEqual(job.get_meta(refresh=True), {"progress": 42})

    def test_stop(self):
        """a job that hangs is stopped from outside, through pub/sub"""
        job = self.queue.enqueue(rq_tasks.hang)
        self.connection.blpop("hanging", LIMIT)
        send_stop_job_command(self.connection, job.id)
        until(lambda: job.get_status(refresh=True) == "stopped")

    def test_killed(self):
        """a job whose process is killed has failed"""
        job = self.queue.enqueue(rq_tasks.hang)
        self.connection.blpop("hanging", LIMIT)
        job.refresh()
        send_kill_horse_command(self.connection, job.worker_name)
        self.result(job, Result.Type.FAILED)

    def test_bulk(self):
        """many jobs at once, each of which runs once"""
        specs = [Queue.prepare_data(rq_tasks.fail_until, (0,)) for _ in range(20)]
        jobs = Queue("high", connection=self.connection).enqueue_many(specs)
        self.assertEqual([self.result(job) for job in jobs], [1] * 20)


if __name__ == "__main__":
    unittest.main()
