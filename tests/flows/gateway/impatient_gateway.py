"""A gateway that gives up on its store sooner: `impatient_gateway.py BEGIN_SECONDS SETTLE_SECONDS`.

Nothing in the product knows of this: it saves the tests half a minute of waiting.
"""

import sys
from functools import partial
from pathlib import Path

from tokonomi.cli.serve import serve
from tokonomi.gateway import server
from tokonomi.storage.recorder import Limits, Recorder


def main(begin_seconds: float, settle_seconds: float) -> None:
    limits = Limits(begin_seconds=begin_seconds, settle_seconds=settle_seconds)
    # The server holds a reference of its own to the class.
    setattr(server, "Recorder", partial(Recorder, limits=limits))  # noqa: B010
    serve(config=Path("tokonomi.toml"))


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
