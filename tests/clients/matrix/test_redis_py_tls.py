"""redis-py over TLS, with a certificate of its own where the server asks for one."""

import pathlib
import subprocess
import tempfile
import unittest

import redis

from harness.server import free_port, start_server

HERE = pathlib.Path(__file__).resolve().parent


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        subprocess.run([HERE.parent / "harness" / "certificates", folder.name], check=True, capture_output=True)
        names = ("ca.pem", "cert.pem", "key.pem")
        cls.authority, cls.certificate, cls.key = [str(pathlib.Path(folder.name) / name) for name in names]
        cls.port = free_port()
        files = ["--tls-cert-file", cls.certificate, "--tls-key-file", cls.key, "--tls-ca-cert-file", cls.authority]
        server = start_server("--tls-port", str(cls.port), *files, "--tls-auth-clients", "yes")
        cls.addClassCleanup(server.stop)

    def connect(self, **options):
        client = redis.Redis(host="127.0.0.1", port=self.port, ssl=True, ssl_ca_certs=self.authority, **options)
        self.addCleanup(client.close)
        return client

    def test_tls(self):
        """commands, pipelines and large values over TLS"""
        client = self.connect(ssl_certfile=self.certificate, ssl_keyfile=self.key)
        value = bytes(range(256)) * 8000
        client.set("large", value)
        self.assertEqual(client.get("large"), value)
        self.assertEqual(client.pipeline().incr("n").incr("n").execute(), [1, 2])

    def test_stranger(self):
        """who has no certificate is not let in"""
        with self.assertRaises(redis.exceptions.ConnectionError):
            self.connect(retry=None).ping()


if __name__ == "__main__":
    unittest.main()
