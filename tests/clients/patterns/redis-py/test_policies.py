"""Caching in front of other systems, with redis-py."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

from harness.process import until
from harness.server import start_server

server = start_server()
os.environ["REDIS_URL"] = server.url

import policies  # Reads REDIS_URL.

r = policies.redis_client


def tearDownModule():
    r.close()
    server.stop()


class PoliciesTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        r.flushall()
        policies.policy_admin.forget()
        policies.customer_hub.forget()
        policies.message_queue.forget()
        policies.policy_admin.records["P1"] = {"number": "P1", "customer_id": "C1", "premium": 100}

    def assert_expires(self, key, seconds):
        self.assertTrue(seconds - 10 < r.ttl(key) <= seconds, r.ttl(key))

    async def test_cache(self):
        """shared cache: the source is asked once in five minutes"""
        for _ in range(3):
            self.assertEqual((await policies.get_policy("P1"))["premium"], 100)
        self.assertEqual(policies.policy_admin.reads, 1)
        self.assert_expires("policy:P1", 300)

    def test_ttl(self):
        """time to live: a value is gone when its time is over"""
        r.setex("key", 300, "value")
        self.assertEqual(r.get("key"), b"value")
        self.assert_expires("key", 300)
        r.expire("key", 0)
        self.assertIsNone(r.get("key"))

    async def test_write_through(self):
        """write-through: what was written is in the cache at once"""
        await policies.update_customer("C1", {"name": "Zoë", "city": "Québec"})
        await policies.update_customer("C1", {"city": "Liège"})
        self.assertEqual(json.loads(r.get("customer:C1")), {"name": "Zoë", "city": "Liège"})
        self.assert_expires("customer:C1", 300)

    async def test_write_behind(self):
        """write-behind: in the cache at once, and in a queue for the source"""
        await policies.update_customer_async("C1", {"name": "Zoë"})
        self.assertEqual(json.loads(r.get("customer:C1")), {"name": "Zoë"})
        expected = ("customer_updates", {"customer_id": "C1", "data": {"name": "Zoë"}})
        self.assertEqual(policies.message_queue.published, [expected])

    async def test_cache_aside(self):
        """cache-aside: a loader runs once"""
        loads = []

        async def loader():
            loads.append(1)
            return [1, 2.5, None, "ä"]

        for _ in range(3):
            self.assertEqual(await policies.get_with_cache_aside("list", loader), [1, 2.5, None, "ä"])
        self.assertEqual(len(loads), 1)

    async def test_invalidation(self):
        """explicit invalidation: of what has changed and of what shows it"""
        await policies.get_policy("P1")
        r.set("customer:C1:policies", "[]")
        r.set("customer:C2:policies", "[]")
        await policies.update_policy("P1", {"premium": 120})
        self.assertEqual(r.keys(), [b"customer:C2:policies"])
        self.assertEqual((await policies.get_policy("P1"))["premium"], 120)

    def test_stampede(self):
        """stampede: a lock lets one of 50 callers in five processes load"""
        command = [sys.executable, pathlib.Path(__file__).with_name("policies_process.py")]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(5)]
        # All have tried to take the lock: one has it, and the others wait.
        until(lambda: r.info("commandstats").get("cmdstat_setnx", {}).get("calls", 0) >= 50)
        self.assertGreater(r.ttl("lock:hot"), 0)
        r.rpush("answers", 1)
        told = [json.loads(process.communicate()[0]) for process in processes]
        self.assertEqual(sum(answer["loads"] for answer in told), 1)
        self.assertEqual([answer["values"] for answer in told], [[{"rate": 12}] * 10] * 5)
        self.assertFalse(r.exists("lock:hot"))

    async def test_stampede_failure(self):
        """stampede: a loader that fails gives the lock back"""

        async def failing():
            raise policies.ServiceUnavailable

        with self.assertRaises(policies.ServiceUnavailable):
            await policies.get_with_stampede_protection("cold", failing)
        self.assertEqual(r.keys(), [])

    async def test_levels(self):
        """two levels: in the process, then in the server, then the source"""
        loads = []

        async def loader():
            loads.append(1)
            return {"n": len(loads)}

        one, two = policies.MultiLevelCache(), policies.MultiLevelCache()
        self.assertEqual([await one.get("k", loader), await two.get("k", loader)], [{"n": 1}] * 2)
        r.delete("k")
        self.assertEqual(await two.get("k", loader), {"n": 1})
        two.local.clear()
        self.assertEqual(await two.get("k", loader), {"n": 2})

    async def test_rating(self):
        """rates: kept for a quarter of an hour by profile, and an older one where the service is away"""

        class Rating:
            away, asked = False, 0

            async def get_rate(self, product, profile):
                self.asked += 1
                if self.away:
                    raise policies.ServiceUnavailable
                return {"product": product, "age": profile["age"]}

        service = Rating()
        cache = policies.RatingCache(r, service)
        first = await cache.get_rate("car", {"age": 30, "zone": "A"})
        self.assertEqual(await cache.get_rate("car", {"zone": "A", "age": 30}), first)
        self.assertEqual(service.asked, 1)
        [key] = r.keys()
        self.assert_expires(key, 900)
        service.away = True
        r.rename(key, b"stale:" + key)
        self.assertEqual(await cache.get_rate("car", {"age": 30, "zone": "A"}), first)
        with self.assertRaises(policies.ServiceUnavailable):
            await cache.get_rate("car", {"age": 31, "zone": "A"})


if __name__ == "__main__":
    unittest.main()
