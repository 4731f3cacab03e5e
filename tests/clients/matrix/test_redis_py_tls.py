"""redis-py over TLS, with a certificate of its own where the server asks for one."""

import unittest

import redis

from harness.tls import start_tls_server


class TlsTest(unittest.TestCase):
    def setUp(self):
        self.tls = start_tls_server(self)

    def connect(self, **options):
        trust = {"ssl": True, "ssl_ca_certs": self.tls.authority}
        client = redis.Redis(host="127.0.0.1", port=self.tls.port, **trust, **options)
        self.addCleanup(client.close)
        return client

    def test_tls(self):
        """commands, pipelines and large values over TLS"""
        client = self.connect(ssl_certfile=self.tls.certificate, ssl_keyfile=self.tls.key)
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
