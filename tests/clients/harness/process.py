"""Programs that run beside a test, and waiting for what they do."""

import atexit
import os
import subprocess
import time


def until(question):
    """Asks again until the answer is true, and gives it. For what cannot be awaited as an event."""
    while not (answer := question()):
        time.sleep(0.005)
    return answer


class Program:
    """A command that runs until it is killed, at the latest when the test file ends."""

    def __init__(self, command, **environment):
        self.process = subprocess.Popen(command, env={**os.environ, **environment})
        atexit.register(self.kill)

    def kill(self):
        """Ends it at once, without a word."""
        self.process.kill()
        self.process.wait()
