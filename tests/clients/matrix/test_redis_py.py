"""redis-py, in both versions of the protocol: clients, its locks, and asyncio."""

import asyncio
import threading
import unittest

import redis
import redis.asyncio
from redis.cache import CacheConfig
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError, ResponseError, WatchError

from harness.process import until
from harness.server import start_server

server = start_server()


def tearDownModule():
    server.stop()


class Common:
    """The tests, for classes that say which version of the protocol they are about."""

    def setUp(self):
        self.redis = self.connect()
        self.redis.flushall()

    def connect(self, **options):
        client = redis.Redis(port=server.port, protocol=self.protocol, decode_responses=True, **options)
        self.addCleanup(client.close)
        return client

    def shortDescription(self):
        return f"RESP{self.protocol}: {super().shortDescription()}"

    def until_blocked(self, count):
        until(lambda: self.redis.info("clients")["blocked_clients"] == count)

    def test_connect(self):
        """connects, and speaks the version that was asked for"""
        client = self.connect(client_name="matrix", db=3)
        info = client.client_info()
        self.assertEqual((info["name"], info["db"], info["resp"]), ("matrix", 3, str(self.protocol)))
        self.assertTrue(info["lib-name"].startswith("redis-py"))
        self.assertTrue(client.ping())

    def test_basic(self):
        """basic commands"""
        r = self.redis
        self.assertTrue(r.set("key", "value", ex=100))
        self.assertIsNone(r.set("key", "other", nx=True))
        self.assertEqual((r.get("key"), r.get("missing")), ("value", None))
        self.assertEqual(r.mget("key", "missing"), ["value", None])
        self.assertEqual(r.incrbyfloat("n", 0.1), 0.1)
        self.assertEqual(r.hset("hash", mapping={"a": 1, "b": "two"}), 2)
        self.assertEqual(r.hgetall("hash"), {"a": "1", "b": "two"})
        self.assertEqual(r.rpush("list", "a", "b", "c"), 3)
        self.assertEqual(r.lrange("list", 0, -1), ["a", "b", "c"])
        r.sadd("set", "x", "y")
        self.assertEqual(r.smembers("set"), {"x", "y"})
        r.zadd("zset", {"one": 1, "more": 2.5})
        self.assertEqual(
            [tuple(pair) for pair in r.zrange("zset", 0, -1, withscores=True)], [("one", 1.0), ("more", 2.5)]
        )
        self.assertEqual(r.zscore("zset", "more"), 2.5)
        self.assertEqual(sorted(r.scan_iter(count=2)), ["hash", "key", "list", "n", "set", "zset"])
        with self.assertRaisesRegex(ResponseError, "WRONGTYPE"):
            r.lpush("key", "x")
        self.assertEqual(r.info("server")["redis_mode"], "standalone")
        self.assertEqual(r.config_get("maxmemory-policy"), {"maxmemory-policy": "noeviction"})

    def test_pipeline(self):
        """pipelines, and large and binary values"""
        pipeline = self.redis.pipeline(transaction=False)
        for n in range(1000):
            pipeline.set(f"key:{n}", n).get(f"key:{n}")
        pipeline.lpush("key:0", "x")
        replies = pipeline.execute(raise_on_error=False)
        self.assertEqual(replies[1999], "999")
        self.assertIsInstance(replies[2000], ResponseError)
        raw = redis.Redis(port=server.port, protocol=self.protocol)
        self.addCleanup(raw.close)
        value = bytes(range(256)) * 4000
        raw.set("binary", value)
        self.assertEqual(raw.get("binary"), value)

    def test_transaction(self):
        """transactions, and WATCH"""
        r = self.redis
        self.assertEqual(r.pipeline().set("a", 1).incr("a").get("a").execute(), [True, 2, "2"])
        with r.pipeline() as pipeline:
            pipeline.watch("a")
            r.set("a", "changed")
            pipeline.multi()
            pipeline.set("a", "mine")
            with self.assertRaises(WatchError):
                pipeline.execute()

        def double(pipeline):
            value = int(pipeline.get("n") or 1)
            if value == 1:
                r.set("n", 5)  # Somebody else: it is tried again.
            pipeline.multi()
            pipeline.set("n", value * 2)

        self.assertEqual(r.transaction(double, "n"), [True])
        self.assertEqual(r.get("n"), "10")

    def test_pubsub(self):
        """publish and subscribe"""
        heard = []
        pubsub = self.redis.pubsub(ignore_subscribe_messages=True)
        self.addCleanup(pubsub.close)
        pubsub.subscribe(news=lambda message: heard.append((message["channel"], message["data"])))
        pubsub.psubscribe(**{"new*": lambda message: heard.append((message["pattern"], message["data"]))})
        until(lambda: self.redis.pubsub_numsub("news") == [("news", 1)] and self.redis.pubsub_numpat() == 1)
        thread = pubsub.run_in_thread(sleep_time=0.01)
        self.assertEqual(self.redis.publish("news", "first"), 2)
        until(lambda: len(heard) == 2)
        self.assertEqual(heard, [("news", "first"), ("new*", "first")])
        thread.stop()
        thread.join()

    def test_streams(self):
        """streams and their groups"""
        r = self.redis
        first = r.xadd("stream", {"field": "value"})
        self.assertEqual(r.xrange("stream"), [(first, {"field": "value"})])
        r.xgroup_create("stream", "group", "0")
        read = r.xreadgroup("group", "ann", {"stream": ">"}, count=10)
        self.assertEqual(entries(read), [(first, {"field": "value"})])
        self.assertEqual(r.xpending("stream", "group")["pending"], 1)
        self.assertEqual(r.xautoclaim("stream", "group", "ben", 0)[1], [(first, {"field": "value"})])
        self.assertEqual(r.xack("stream", "group", first), 1)
        self.assertEqual(r.xinfo_groups("stream")[0]["entries-read"], 1)
        got = []
        thread = threading.Thread(target=lambda: got.append(self.connect().xread({"stream": "$"}, block=0)))
        thread.start()
        self.until_blocked(1)
        r.xadd("stream", {"field": "awaited"})
        thread.join()
        self.assertEqual(entries(got[0])[0][1], {"field": "awaited"})

    def test_scripts(self):
        """scripts, also in pipelines and after SCRIPT FLUSH"""
        add = self.redis.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        self.assertEqual(add(keys=["n"], args=[5]), 5)
        self.redis.script_flush()
        self.assertEqual(add(keys=["n"], args=[5]), 10)
        pipeline = self.redis.pipeline()
        add(keys=["n"], args=[1], client=pipeline)
        self.assertEqual(pipeline.get("n").execute(), [11, "11"])
        with self.assertRaises(NoScriptError):
            self.redis.evalsha("0" * 40, 0)
        self.assertEqual(self.redis.eval("return {1, 'two', false, {3}}", 0), [1, "two", None, [3]])
        library = "#!lua name=lib\nredis.register_function('twice', function(keys, args) return args[1] * 2 end)"
        self.assertEqual(self.redis.function_load(library, replace=True), "lib")
        self.assertEqual(self.redis.fcall("twice", 0, 21), 42)

    def test_lock(self):
        """locks of redis-py: one holder, extension, loss, and threads that count"""
        lock, other = self.redis.lock("door", timeout=60), self.redis.lock("door", timeout=60)
        self.assertTrue(lock.acquire(blocking=False))
        self.assertFalse(other.acquire(blocking=False))
        lock.extend(100)
        self.assertGreater(self.redis.ttl("door"), 100)
        lock.reacquire()
        self.assertLessEqual(self.redis.ttl("door"), 60)
        self.redis.set("door", "somebody else")
        with self.assertRaises(LockNotOwnedError):
            lock.release()
        with self.assertRaises(LockError):
            other.release()
        brief = self.redis.lock("brief", timeout=0.02)
        brief.acquire()
        until(lambda: not brief.locked())
        with self.assertRaises(LockError):
            brief.extend(1)

        def count():
            for _ in range(25):
                with self.redis.lock("counting", timeout=60, sleep=0.001):
                    self.redis.set("counter", int(self.redis.get("counter") or 0) + 1)

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.redis.get("counter"), "100")

    def test_asyncio(self):
        """asyncio: pipelines, locks, and commands that wait"""

        async def talk():
            async with redis.asyncio.Redis(
                port=server.port, protocol=self.protocol, decode_responses=True
            ) as client:
                replies = await asyncio.gather(*(client.incr("n") for _ in range(100)))
                self.assertEqual(sorted(replies), list(range(1, 101)))
                async with client.pipeline(transaction=True) as pipeline:
                    self.assertEqual(await pipeline.set("k", "v").get("k").execute(), [True, "v"])
                async with client.lock("door", timeout=60):
                    self.assertTrue(await client.exists("door"))
                waiting = asyncio.create_task(client.blpop("queue", 0))
                while (await client.info("clients"))["blocked_clients"] == 0:
                    pass
                await client.rpush("queue", "given")
                self.assertEqual(list(await waiting), ["queue", "given"])
                async with client.pubsub() as pubsub:
                    await pubsub.subscribe("news")
                    await pubsub.get_message(timeout=None)
                    await client.publish("news", "first")
                    self.assertEqual((await pubsub.get_message(timeout=None))["data"], "first")

        asyncio.run(talk())

    def test_restart(self):
        """connects again after a restart, and subscribes again"""
        own = start_server()
        self.addCleanup(own.discard)
        client = redis.Redis(port=own.port, protocol=self.protocol, decode_responses=True)
        self.addCleanup(client.close)
        pubsub = client.pubsub(ignore_subscribe_messages=True)
        self.addCleanup(pubsub.close)
        pubsub.subscribe("news")
        self.assertIsNone(pubsub.get_message(timeout=1))
        client.set("key", "before")
        own.restart()
        self.assertIsNone(client.get("key"))
        self.assertTrue(client.set("key", "after"))
        self.assertIsNone(pubsub.get_message(timeout=1))
        until(lambda: client.publish("news", "again") == 1)
        self.assertEqual(until(lambda: pubsub.get_message(timeout=1))["data"], "again")


def entries(reply):
    """The entries of one stream in a reply of XREAD, which is a list in RESP2 and a map in RESP3."""
    if isinstance(reply, dict):
        [[read]] = reply.values()
        return read
    [[_, read]] = reply
    return read


class Resp2(Common, unittest.TestCase):
    protocol = 2


class Resp3(Common, unittest.TestCase):
    protocol = 3

    def test_cache(self):
        """what a client keeps itself is invalidated by others"""
        caching = self.connect(cache_config=CacheConfig())
        self.redis.set("kept", "old")
        gets = lambda: self.redis.info("commandstats").get("cmdstat_get", {}).get("calls", 0)
        before = gets()
        for _ in range(10):
            self.assertEqual(caching.get("kept"), "old")
        self.assertEqual(gets(), before + 1)
        self.redis.set("kept", "new")
        until(lambda: caching.get("kept") == "new")
        self.redis.flushall()
        until(lambda: caching.get("kept") is None)


if __name__ == "__main__":
    unittest.main()
