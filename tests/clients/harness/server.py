"""A server process in a directory of its own, which never outlives the test file that started it."""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import threading

# Between choosing a free port and the server's bind another process may take it: so often is another one tried.
PORT_ATTEMPTS = 5


def start_server(*args):
    """Starts the server under test, without snapshots, on a free port of 127.0.0.1."""
    for attempt in range(PORT_ATTEMPTS):
        server = Server(free_port(), args)
        try:
            server.start()
            return server
        except RuntimeError:
            if attempt == PORT_ATTEMPTS - 1:
                raise


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    host = "127.0.0.1"

    def __init__(self, port, args):
        self.port = port
        self.args = args
        self.directory = tempfile.mkdtemp(prefix="spinel-clients-")
        self.process = None
        atexit.register(self.discard)

    @property
    def url(self):
        return f"redis://{self.host}:{self.port}"

    def start(self):
        """Comes back when the server says that it is ready."""
        binary = os.environ["SPINEL_TEST_SERVER"]
        command = [binary, "--port", str(self.port), "--bind", self.host, "--save", "", "--dir", self.directory]
        self.process = subprocess.Popen([*command, *self.args], stdout=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "Ready to accept connections" in line:
                # What it says from now on is read so that it can go on, and forgotten.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        raise RuntimeError(f"{binary} did not start:\n{''.join(said)}")

    def stop(self):
        """Ends the process, and comes back when it is gone."""
        self.process.terminate()
        self.process.wait()

    def restart(self):
        """Ends the process and starts another one in its place, which has no data."""
        self.stop()
        self.start()

    def discard(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
