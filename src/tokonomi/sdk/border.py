"""Where every failure of ours ends: the call that is measured must not notice it."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from tokonomi.errors import TokonomiError

_log: Final = logging.getLogger("tokonomi.sdk")


class Border:
    """Keeps failures of the measuring from the measured, counts them, and logs the first."""

    def __init__(self) -> None:
        self.failures = 0
        """How often something of ours went wrong, in this process."""

    @contextmanager
    def around(self, what: str) -> Generator[None]:
        """Nothing of what goes wrong inside comes out, save what ends a process.

        `what` says what was being done, for the log.
        """
        try:
            yield
        except Exception as failure:  # noqa: BLE001 - the one place that catches everything
            self.failures += 1
            if self.failures > 1:
                _log.debug("%s failed (%s)", what, type(failure).__name__)
            elif isinstance(failure, OSError | TokonomiError):
                # The machine's or the operator's, who needs to know what and where, and no more.
                _log.warning("%s failed; the call itself is not touched: %s", what, failure)
            else:
                _log.exception("%s failed; the call itself is not touched", what)


BORDER: Final = Border()
