"""The command line: one file per command, each loaded only when it is asked for."""

import os
import sys
from typing import Final, NoReturn

from cyclopts import App, CycloptsError
from rich.console import Console

from tokonomi import __version__
from tokonomi.errors import BadConfig, TokonomiError, WrongUsage

WRONG_USAGE: Final = 2
WRONG_CONFIG: Final = 3
INTERRUPTED: Final = 130

app = App(
    name="tokonomi",
    help="The economics of LLM use in one system: meter every call, price it exactly, open it.",
    version=__version__,
)

COMMANDS: Final = [
    ("up", "tokonomi.cli.up:up", "Start the gateway with a local model and call it once."),
    ("down", "tokonomi.cli.down:down", "Stop what `tokonomi up` started."),
]
"""Name, import path and one line of help of each command, in the order of a user's day."""

for _name, _path, _help in COMMANDS:
    app.command(_path, name=_name, help=_help)


def main(tokens: list[str] | None = None) -> NoReturn:
    """Never returns: runs the command that the arguments name and exits with its code.

    Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 the configuration is wrong, 130 interrupted.
    """
    talk = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        answer = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        talk.print(f"wrong_usage: {error}", markup=False)
        talk.print("See `tokonomi --help`.", markup=False)
        sys.exit(WRONG_USAGE)
    except WrongUsage as error:
        talk.print(str(error), markup=False)
        sys.exit(WRONG_USAGE)
    except BadConfig as error:
        talk.print(str(error), markup=False)
        sys.exit(WRONG_CONFIG)
    except TokonomiError as error:
        talk.print(str(error), markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has left, as `| head` does; Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(answer if isinstance(answer, int) else 0)
