"""A server that speaks TLS and wants to see its clients' certificates."""

import pathlib
import subprocess
import tempfile
from typing import NamedTuple

from harness.server import free_port, start_server

CERTIFICATES = pathlib.Path(__file__).resolve().parent / "certificates"


class TlsServer(NamedTuple):
    port: int
    authority: str
    # A client's own, which the server takes.
    certificate: str
    key: str


def start_tls_server(test):
    """Starts one that ends with a test."""
    folder = tempfile.TemporaryDirectory()
    test.addCleanup(folder.cleanup)
    subprocess.run([CERTIFICATES, folder.name], check=True, capture_output=True)
    authority, certificate, key = [str(pathlib.Path(folder.name) / name) for name in ("ca.pem", "cert.pem", "key.pem")]
    port = free_port()
    files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", authority]
    server = start_server("--tls-port", str(port), *files, "--tls-auth-clients", "yes")
    test.addCleanup(server.stop)
    return TlsServer(port, authority, certificate, key)
