"""A gateway whose script kills it, as a process."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gateway_process import DEADLINE_SECONDS, GatewayProcess


@dataclass
class CrashingGateway(GatewayProcess):
    """A gateway that kills itself at a point when it is reached for the nth time."""

    point: str = "C1"
    nth: int = 1
    script: str = "crashing_gateway.py"

    def start(self) -> None:
        script = Path(__file__).with_name(self.script)
        command = [sys.executable, str(script), self.point, str(self.nth)]
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=os.environ | self.environ,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.started.append(self.process)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http"), self.log

    def died(self) -> None:
        self.process.wait(DEADLINE_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
