"""The local model's process ends with the process that started it."""

import signal
import subprocess
import sys

import pytest

from tokonomi.providers import local_model

pytestmark = pytest.mark.skipif(
    not local_model.is_installed(), reason="the demo's local model is not installed; use make test"
)

# Random keys begin with a dash, too.
PARENT = """
import signal, sys
from tokonomi.cli.demo import free_port
from tokonomi.providers import local_model
model = local_model.LocalModel(free_port(), free_port(), "-a-key")
child = local_model.start(model, sys.stderr.buffer)
local_model.wait_until_ready(model, child)
print("ready", flush=True)
signal.pause()
"""
SECONDS = 60


def test_the_model_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.send_signal(signal.SIGKILL)
        # The model prints into the same pipe, which closes when the last of both has ended.
        _, log = parent.communicate(timeout=SECONDS)
    assert parent.returncode == -signal.SIGKILL
    assert b"listening on http://127.0.0.1" in log
