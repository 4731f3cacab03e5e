"""redis-benchmark, in both versions of the protocol, and over TLS."""

import csv
import shutil
import subprocess
import unittest

import redis

from harness.server import start_server
from harness.tls import start_tls_server

server = start_server()
BENCHMARK = shutil.which("redis-benchmark")


def tearDownModule():
    server.stop()


def measure(*args, port=None):
    """The requests per second of each test. Errors from the server end it."""
    command = [BENCHMARK, "-p", str(port or server.port), "-c", "10", "-n", "500", "--csv", "-e", *args]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = list(csv.reader(output.splitlines()))
    return {row[0]: float(row[1]) for row in rows if row[0] != "test"}


class Common:
    """The tests, for classes that say which version of the protocol they are about."""

    version = []

    def setUp(self):
        self.redis = redis.Redis(port=server.port, decode_responses=True)
        self.addCleanup(self.redis.close)
        self.redis.flushall()
        self.redis.config_resetstat()

    def shortDescription(self):
        return f"{self.name}: {super().shortDescription()}"

    def measured(self, *args, port=None):
        found = measure(*self.version, *args, port=port)
        self.assertTrue(found and all(rate > 0 for rate in found.values()), found)
        return found

    def calls(self, command):
        return self.redis.info("commandstats")[f"cmdstat_{command}"]["calls"]

    def test_basic(self):
        """all that it measures by itself"""
        self.assertGreater(len(self.measured()), 15)
        self.assertEqual(self.redis.type("mylist"), "list")
        self.assertEqual(self.calls("set"), 500)

    def test_pipeline(self):
        """pipelines, random keys, large values, and two threads"""
        self.measured("-t", "set,get", "-P", "16", "-r", "500", "-d", "20000")
        self.assertEqual(self.redis.strlen(self.redis.randomkey()), 20000)
        self.measured("-t", "set,get", "--threads", "2", "-k", "0")

    def test_commands(self):
        """publishing, streams and scripts"""
        self.measured("PUBLISH", "news", "first")
        self.measured("XADD", "stream", "*", "field", "__rand_int__")
        self.assertEqual(self.redis.xlen("stream"), 500)
        self.measured("EVAL", "return redis.call('INCR', KEYS[1])", "1", "n")
        self.assertEqual(self.redis.get("n"), "500")

    def test_restart(self):
        """finds the server again after a restart"""
        own = start_server()
        self.addCleanup(own.discard)
        self.measured("-t", "set", port=own.port)
        own.restart()
        self.measured("-t", "set", port=own.port)


@unittest.skipUnless(BENCHMARK, "redis-benchmark is not there")
class Resp2(Common, unittest.TestCase):
    name = "RESP2"


@unittest.skipUnless(BENCHMARK, "redis-benchmark is not there")
class Resp3(Common, unittest.TestCase):
    name = "RESP3"
    version = ["-3"]


@unittest.skipUnless(BENCHMARK, "redis-benchmark is not there")
class Tls(unittest.TestCase):
    def test_tls(self):
        """over TLS"""
        tls = start_tls_server(self)
        files = ["--cacert", tls.authority, "--cert", tls.certificate, "--key", tls.key]
        found = measure("--tls", *files, "-t", "set,get", "-P", "16", port=tls.port)
        self.assertEqual(set(found), {"SET", "GET"})


if __name__ == "__main__":
    unittest.main()
