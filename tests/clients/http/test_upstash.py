"""Upstash's client for Python, and its rate limiter, against the HTTP port."""

import asyncio
import threading
import unittest

import httpx
from upstash_ratelimit import FixedWindow, Ratelimit, SlidingWindow, TokenBucket
from upstash_redis import Redis
from upstash_redis.asyncio import Redis as AsyncRedis
from upstash_redis.errors import UpstashError

from harness.server import free_port, start_server

TOKEN, READONLY_TOKEN = "writes", "reads"
port = free_port()
tokens = ["--http-token", TOKEN, "--http-readonly-token", READONLY_TOKEN]
server = start_server("--http-port", str(port), *tokens, "--http-max-body-size", "1mb")
URL = f"http://127.0.0.1:{port}"
redis = Redis(url=URL, token=TOKEN, rest_retries=0)


def tearDownModule():
    server.stop()


def raw(path, **request):
    """The answer to a request that the client would not send."""
    headers = {"Authorization": f"Bearer {TOKEN}", **request.pop("headers", {})}
    return httpx.request(request.pop("method", "POST"), URL + path, headers=headers, **request)


def assert_fails(words, run):
    try:
        run()
    except UpstashError as error:
        assert words in str(error), error
    else:
        raise AssertionError(f"no error with {words}")


class UpstashTest(unittest.TestCase):
    def setUp(self):
        redis.flushall()

    def test_strings(self):
        """strings, numbers and what is not there"""
        assert redis.set("name", "Spinel ü😀") is True
        assert redis.get("name") == "Spinel ü😀"
        assert redis.get("nothing") is None
        assert redis.set("count", 41) and redis.incr("count") == 42
        assert redis.set("name", "x", nx=True) is False
        assert redis.set("name", "OK", ex=100) and redis.get("name") == "OK"
        assert redis.mget("name", "nothing", "count") == ["OK", None, "42"]
        assert redis.ttl("name") == 100
        assert redis.incrbyfloat("float", 1.5) == 1.5

    def test_json(self):
        """values become JSON"""
        redis.set("session", {"user": 7, "tags": ["a", None, True]})
        assert redis.get("session") == '{"user": 7, "tags": ["a", null, true]}'

    def test_collections(self):
        """hashes, lists, sorted sets, streams and scans"""
        assert redis.hset("hash", values={"a": 1, "b": "x"}) == 2
        assert redis.hgetall("hash") == {"a": "1", "b": "x"}
        assert redis.rpush("list", "a", "b") == 2 and redis.lrange("list", 0, -1) == ["a", "b"]
        assert redis.zadd("board", {"ann": 1.5, "bob": 3}) == 2
        assert redis.zrange("board", 0, -1, withscores=True) == [("ann", 1.5), ("bob", 3.0)]
        entry = redis.xadd("stream", "*", {"kind": "test"})
        assert redis.xrange("stream", "-", "+") == [[entry, ["kind", "test"]]]
        cursor, keys = redis.scan(0, match="s*", count=100)
        assert cursor == 0 and keys == ["stream"]

    def test_plain(self):
        """without base64"""
        plain = Redis(url=URL, token=TOKEN, rest_encoding=None)
        assert plain.set("a", "ü\u2028\x00") and plain.get("a") == "ü\u2028\x00"

    def test_binary(self):
        """binary values"""
        value = bytes(range(256))
        assert raw("/set/bytes", content=value).json() == {"result": "OK"}
        assert raw("/get/bytes", headers={"Upstash-Response-Format": "resp2"}).content == b"$256\r\n" + value + b"\r\n"
        assert redis.strlen("bytes") == 256

    def test_pipelines(self):
        """pipelines"""
        pipeline = redis.pipeline()
        pipeline.set("a", 1).incr("a").get("a")
        assert pipeline.exec() == [True, 2, "2"]
        assert_fails("WRONGTYPE", lambda: redis.pipeline().lpush("a", 1).exec())

    def test_transactions(self):
        """transactions"""
        assert redis.multi().set("a", 1).incr("a").exec() == [True, 2]
        assert raw("/multi-exec", json=[["SET", "a", 9], ["SET", "a"]]).status_code == 400
        assert redis.get("a") == "2"

    def test_scripts(self):
        """scripts"""
        assert redis.eval("return ARGV[1] .. KEYS[1]", keys=["key"], args=["value "]) == "value key"
        sha = redis.script_load("return {1, 'a', {2, 'OK'}, false}")
        assert redis.evalsha(sha) == [1, "a", [2, "OK"], None]
        redis.eval("redis.call('SET', KEYS[1], 1763680000123456)", keys=["digits"])
        assert redis.get("digits") == "1763680000123456"

    def test_asynchronous(self):
        """the asynchronous client"""
        async def run():
            async with AsyncRedis(url=URL, token=TOKEN) as client:
                values = await asyncio.gather(*(client.incr("count") for _ in range(20)))
                assert sorted(values) == list(range(1, 21))

        asyncio.run(run())

    def test_rate_limiter(self):
        """the rate limiter lets its number through"""
        limiters = {
            "fixed": FixedWindow(max_requests=5, window=1, unit="h"),
            "sliding": SlidingWindow(max_requests=5, window=1, unit="h"),
            "bucket": TokenBucket(max_tokens=5, refill_rate=5, interval=1, unit="h"),
        }
        for name, limiter in limiters.items():
            ratelimit = Ratelimit(redis=redis, limiter=limiter, prefix=name)
            assert [ratelimit.limit("user").allowed for _ in range(8)] == [True] * 5 + [False] * 3, name
            assert ratelimit.get_remaining("user") == 0, name

    def test_readonly(self):
        """the read-only token reads"""
        reader = Redis(url=URL, token=READONLY_TOKEN, rest_retries=0)
        redis.set("a", 1)
        assert reader.get("a") == "1"
        assert_fails("NOPERM", lambda: reader.set("a", 2))

    def test_wrong_token(self):
        """a wrong token is refused"""
        assert_fails("WRONGPASS", lambda: Redis(url=URL, token="wrong", rest_retries=0).get("a"))
        assert raw("/get/a", headers={"Authorization": "Bearer wrong"}).status_code == 401

    def test_wrong_command(self):
        """a wrong command is refused"""
        assert_fails("ERR unknown command 'NONESUCH'", lambda: redis.execute(["NONESUCH", "a"]))
        assert_fails("ERR wrong number of arguments for 'get' command", lambda: redis.execute(["GET"]))

    def test_large_body(self):
        """a body that is too large is refused"""
        assert_fails("the body is larger than", lambda: redis.set("large", "x" * (2 << 20)))
        assert raw("/set/large", content=b"x" * (2 << 20)).status_code == 413
        assert redis.exists("large") == 0

    def test_malformed(self):
        """malformed JSON is refused"""
        for path in ["/", "/pipeline", "/multi-exec"]:
            answer = raw(path, content=b'[["SET","a",1]')
            assert answer.status_code == 400 and "JSON" in answer.json()["error"]
        assert redis.exists("a") == 0

    def test_restart(self):
        """a server that starts again is found again"""
        patient = Redis(url=URL, token=TOKEN, rest_retries=200, rest_retry_interval=0.05)
        assert redis.set("a", 1) and patient.set("b", 2)
        server.stop()
        with self.assertRaises(httpx.ConnectError):
            redis.get("a")
        # It asks while the server starts.
        starting = threading.Thread(target=server.start)
        starting.start()
        assert patient.get("b") is None
        starting.join()
        assert redis.get("a") is None
        assert redis.set("a", 3)
        pipeline = patient.pipeline()
        pipeline.get("a").incr("b")
        assert pipeline.exec() == ["3", 1]
        # Nobody has asked between its end and its next start.
        server.restart()
        assert redis.get("a") is None
        assert redis.multi().set("a", 4).get("a").exec() == [True, "4"]

    def test_restart_asynchronous(self):
        """the asynchronous client finds a server again that has started again"""
        async def run():
            async with AsyncRedis(url=URL, token=TOKEN, rest_retries=0) as client:
                assert await client.set("a", 1)
                await asyncio.to_thread(server.restart)
                assert await client.get("a") is None
                assert await client.incr("a") == 1

        asyncio.run(run())


if __name__ == "__main__":
    unittest.main()
