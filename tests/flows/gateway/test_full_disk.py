"""A disk without room: a hard budget lets nothing pass, and afterwards nothing is missing."""

import os
import resource
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until
from prepaid import books_when_quiet, calling, paid_books, prepare, refused_calls

UNSHARE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")
ON_A_SMALL_DISK = 'mount -t tmpfs -o size=4m tmpfs disk && cp tokonomi.db disk/ && exec "$@"'

WHAT_TO_DO = "Check the free space and the permissions of its disk, and who else writes."


class LimitedGateway(GatewayProcess):
    """A gateway whose files may be forbidden to grow: writing beyond a limit fails (EFBIG)."""

    def fill(self) -> None:
        unlimited = resource.RLIM_INFINITY
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0, unlimited))

    def clear(self) -> None:
        unlimited = resource.RLIM_INFINITY
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))


class SmallDiskGateway(LimitedGateway):
    """A gateway whose store is on a disk of 4 MB that only its process has mounted (ENOSPC)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        (self.folder / "disk").mkdir()
        file = self.folder / "tokonomi.toml"
        boot = file.read_text(encoding="utf-8")
        file.write_text(boot.replace("tokonomi.db", "disk/tokonomi.db"), encoding="utf-8")

    @property
    def command(self) -> list[str]:
        return [*UNSHARE, "sh", "-c", ON_A_SMALL_DISK, "sh", *super().command]

    def start(self) -> None:
        super().start()
        # An open folder keeps the disk when the process that mounted it has ended.
        disk = f"/proc/{self.process.pid}/root{self.folder}/disk"
        self.disk = os.open(disk, os.O_RDONLY | os.O_DIRECTORY)

    def fill(self) -> None:
        ballast = os.open("ballast", os.O_WRONLY | os.O_CREAT, dir_fd=self.disk)
        with pytest.raises(OSError, match="No space left"):
            write_without_end(ballast)
        os.close(ballast)

    def clear(self) -> None:
        os.unlink("ballast", dir_fd=self.disk)

    def stop(self) -> int:
        """Ends the gateway, and brings its store to where the test can open it."""
        code = super().stop()
        self.store.unlink()
        for file in Path(f"/proc/self/fd/{self.disk}").glob("tokonomi.db*"):
            if file.is_file():
                shutil.copyfile(file, self.folder / file.name)
        os.close(self.disk)
        return code


class ImpatientGateway(LimitedGateway):
    """One that withholds the answer of a call that it cannot record within a second."""

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("impatient_gateway.py")), "10", "1"]


def write_without_end(descriptor: int) -> None:
    while True:
        os.write(descriptor, bytes(4_096))


def mounts_are_allowed() -> bool:
    """Whether this system lets a process mount a disk that only it sees."""
    if shutil.which("unshare") is None:
        return False
    tried = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def health(gateway: GatewayProcess) -> int:
    try:
        with urllib.request.urlopen(f"{gateway.url}/healthz", timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as failing:
        with failing:
            return failing.code


@pytest.mark.parametrize("kind", [LimitedGateway, SmallDiskGateway])
def test_a_full_disk_refuses_calls_and_afterwards_every_call_is_paid(
    kind: type[LimitedGateway], provider: FakeProvider, tmp_path: Path
) -> None:
    if kind is SmallDiskGateway and not mounts_are_allowed():
        pytest.skip("this system does not let a test mount a disk")
    gateway = kind(tmp_path / "gateway", configuration(provider.base_url))
    key = prepare(gateway.store)
    gateway.start()
    before = len(provider.received)
    with calling(gateway.url, key) as callers:
        callers.go_on()
        gateway.fill()
        refusals = refused_calls(gateway.url, key, provider)
        assert health(gateway) == 503
        gateway.clear()
        callers.go_on()
    assert health(gateway) == 200
    assert gateway.stop() == 0
    # The gateway swept nothing away at its end, so this is what it left while it lived.
    assert books_when_quiet(gateway.store) == paid_books(len(provider.received) - before)
    assert callers.refused == len(callers.errors)
    for said in [*callers.errors, *refusals]:
        assert said.startswith("503 The call was not sent, because store_error: the store cannot")
        assert said.endswith(WHAT_TO_DO)


TRIES = 50


def withheld_whole(errors: list[str]) -> list[str]:
    """The errors of whole answers that came from the provider and were not given out."""
    return [error for error in errors if error.startswith("503 The provider")]


def test_calls_that_a_full_disk_could_not_record_in_time_are_recorded_when_there_is_room(
    provider: FakeProvider, tmp_path: Path
) -> None:
    gateway = ImpatientGateway(tmp_path / "gateway", configuration(provider.base_url))
    key = prepare(gateway.store)
    gateway.start()
    before = len(provider.received)
    with calling(gateway.url, key) as callers:
        # The disk may fill when no whole answer is on its way; then it fills again.
        for _ in range(TRIES):
            callers.go_on()
            gateway.fill()
            until(lambda: withheld_whole(callers.errors) or not gateway.in_flight())
            gateway.clear()
            if withheld_whole(callers.errors):
                break
        callers.go_on()
    noted = gateway.rows("note LIKE '%withheld%'")
    assert len(noted) == len(withheld_whole(callers.errors)) > 0
    calls = len(provider.received) - before
    assert books_when_quiet(gateway.store) == paid_books(calls, withheld=len(noted))
    assert callers.answered + callers.withheld == calls
