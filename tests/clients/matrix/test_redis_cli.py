"""redis-cli, in both versions of the protocol, and over TLS."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

from harness.process import until
from harness.server import start_server
from harness.tls import start_tls_server

server = start_server()
CLI = shutil.which("redis-cli")


def tearDownModule():
    server.stop()


def run(*args, port=None, **options):
    """What it prints, which must be no failure."""
    command = [CLI, "-p", str(port or server.port), *map(str, args)]
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def conversation(*args, port=None, **options):
    """It runs and is told commands one by one."""
    command = [CLI, "-p", str(port or server.port), *map(str, args)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, text=True, bufsize=1, **{**pipes, **options})


class Common:
    """The tests, for classes that say which version of the protocol they are about."""

    def setUp(self):
        self.cli("FLUSHALL")

    def shortDescription(self):
        return f"RESP{self.protocol}: {super().shortDescription()}"

    def cli(self, *args, **options):
        return run(f"-{self.protocol}", *args, **options)

    def talk(self, *args, **options):
        process = conversation(f"-{self.protocol}", *args, **options)
        for pipe in filter(None, (process.stdin, process.stdout)):
            self.addCleanup(pipe.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_connect(self):
        """connects, and speaks the version that was asked for"""
        info = self.cli("-n", 3, "CLIENT", "INFO")
        self.assertIn(" db=3 ", info)
        self.assertIn(f" resp={self.protocol} ", info)
        self.assertEqual(self.cli("PING"), "PONG\n")

    def test_basic(self):
        """basic commands"""
        self.assertEqual(self.cli("SET", "key", "value", "EX", 100), "OK\n")
        self.assertEqual(self.cli("GET", "key"), "value\n")
        self.assertEqual(self.cli("INCRBY", "n", 42), "42\n")
        self.cli("HSET", "hash", "a", "1", "b", "two")
        self.assertEqual(self.cli("HGETALL", "hash").split(), ["a", "1", "b", "two"])
        self.cli("ZADD", "zset", 1, "one", 2.5, "more")
        self.assertEqual(self.cli("ZRANGE", "zset", 0, -1, "WITHSCORES"), "one\n1\nmore\n2.5\n")
        self.assertEqual(sorted(self.cli("--scan").split()), ["hash", "key", "n", "zset"])
        self.assertIn("WRONGTYPE", self.cli("LPUSH", "key", "x"))
        with self.assertRaises(subprocess.CalledProcessError):
            self.cli("-e", "LPUSH", "key", "x")

    def test_pipeline(self):
        """many commands in one go, and values from files"""
        commands = "".join(f"SET key:{n} value:{n}\r\n" for n in range(1000))
        self.assertIn("errors: 0, replies: 1000", self.cli("--pipe", input=commands))
        self.assertEqual(self.cli("GET", "key:999"), "value:999\n")
        large = "ü" * 500_000
        self.assertEqual(self.cli("-x", "SET", "large", input=large), "OK\n")
        self.assertEqual(self.cli("GET", "large"), large + "\n")

    def test_transaction(self):
        """transactions, and WATCH"""
        lines = "MULTI\nSET a 1\nINCR a\nEXEC\nMULTI\nSET a\nEXEC\n"
        said = self.cli(input=lines)
        self.assertTrue(said.startswith("OK\nQUEUED\nQUEUED\nOK\n2\nOK\nERR wrong number of arguments"), said)
        self.assertIn("EXECABORT", said)
        watching = self.talk()
        watching.stdin.write("WATCH a\n")
        self.assertEqual(watching.stdout.readline(), "OK\n")
        self.cli("SET", "a", "changed")
        watching.stdin.write("MULTI\nSET a mine\nEXEC\nGET a\n")
        self.assertEqual([watching.stdout.readline() for _ in range(4)], ["OK\n", "QUEUED\n", "\n", "changed\n"])

    def test_pubsub(self):
        """publish and subscribe"""
        subscribed = self.talk("SUBSCRIBE", "news", "weather")
        for line in ("subscribe", "news", "1", "subscribe", "weather", "2"):
            self.assertEqual(subscribed.stdout.readline(), f"{line}\n")
        self.assertEqual(self.cli("PUBLISH", "news", "first"), "1\n")
        for line in ("message", "news", "first"):
            self.assertEqual(subscribed.stdout.readline(), f"{line}\n")

    def test_streams(self):
        """streams and their groups"""
        first = self.cli("XADD", "stream", "*", "field", "value").strip()
        self.cli("XGROUP", "CREATE", "stream", "group", "0")
        self.assertIn(first, self.cli("XREADGROUP", "GROUP", "group", "ann", "STREAMS", "stream", ">"))
        self.assertIn(first, self.cli("XAUTOCLAIM", "stream", "group", "ben", 0, 0))
        self.assertEqual(self.cli("XACK", "stream", "group", first), "1\n")
        waiting = self.talk("XREAD", "BLOCK", 0, "STREAMS", "stream", "$")
        until(lambda: "blocked_clients:1\n" in self.cli("INFO", "clients").replace("\r", ""))
        self.cli("XADD", "stream", "*", "field", "awaited")
        self.assertIn("awaited\n", waiting.stdout.read())

    def test_scripts(self):
        """scripts, from files and by their hash"""
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write("return redis.call('INCRBY', KEYS[1], ARGV[1])")
            file.flush()
            self.assertEqual(self.cli("--eval", file.name, "n", ",", 5), "5\n")
        digest = self.cli("SCRIPT", "LOAD", "return {KEYS[1], ARGV[1]}").strip()
        self.assertEqual(self.cli("EVALSHA", digest, 1, "key", "argument"), "key\nargument\n")

    def test_formats(self):
        """replies as JSON and CSV"""
        self.cli("RPUSH", "list", "a", "b")
        self.assertEqual(json.loads(self.cli("--json", "LRANGE", "list", 0, -1)), ["a", "b"])
        self.assertEqual(self.cli("--csv", "LRANGE", "list", 0, -1), '"a","b"\n')

    def test_restart(self):
        """at a terminal, connects again after a restart"""
        own = start_server()
        self.addCleanup(own.discard)
        user, terminal = os.openpty()
        self.addCleanup(os.close, user)
        environment = {**os.environ, "TERM": "dumb", "HOME": own.directory}
        self.talk(port=own.port, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
        os.close(terminal)

        def type_in(line, *endings):
            os.write(user, f"{line}\n".encode())
            shown = ""
            while not any(ending in shown for ending in endings):
                shown += os.read(user, 4096).decode()
            return shown

        type_in("SET key before", "OK\r\n")
        own.restart()
        # Who finds the connection gone is told so; the next command uses another.
        while "OK\r\n" not in type_in("SET key after", "OK\r\n", "not connected> "):
            pass
        type_in("GET key", '"after"\r\n')


@unittest.skipUnless(CLI, "redis-cli is not there")
class Resp2(Common, unittest.TestCase):
    protocol = 2


@unittest.skipUnless(CLI, "redis-cli is not there")
class Resp3(Common, unittest.TestCase):
    protocol = 3


@unittest.skipUnless(CLI, "redis-cli is not there")
class Tls(unittest.TestCase):
    def test_tls(self):
        """commands and large values over TLS; who has no certificate is not let in"""
        tls = start_tls_server(self)
        trust = ["--tls", "--cacert", tls.authority]
        own = ["--cert", tls.certificate, "--key", tls.key]
        large = "x" * 2_000_000
        self.assertEqual(run(*trust, *own, "-x", "SET", "large", port=tls.port, input=large), "OK\n")
        self.assertEqual(run(*trust, *own, "GET", "large", port=tls.port), large + "\n")
        stranger = subprocess.run(
            [CLI, "-p", str(tls.port), *trust, "PING"], capture_output=True, text=True, env={**os.environ, "TERM": "dumb"}
        )
        self.assertNotIn("PONG", stranger.stdout)


if __name__ == "__main__":
    unittest.main()
