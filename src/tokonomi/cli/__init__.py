"""The command line: one file per command, each loaded only when it is asked for."""

import os
import sys
from collections.abc import Container
from datetime import date, datetime
from typing import Final, NoReturn

from cyclopts import App, CoercionError, CycloptsError, Parameter, UnusedCliTokensError
from rich.console import Console

from tokonomi import __version__
from tokonomi.errors import BadConfig, TokonomiError, WrongUsage
from tokonomi.naming import meant

FAILED: Final = 1
WRONG_USAGE: Final = 2
WRONG_CONFIG: Final = 3
UNBALANCED: Final = 5
INTERRUPTED: Final = 130
_TAKES_A_SECRET: Final = ("secrets", "set")
"""The command whose surplus words are not repeated: logs may keep what it says."""
TRACEBACK: Final = "TOKONOMI_TRACEBACK"
"""Set this variable to see where an error came from."""

COMMANDS: Final = [
    ("up", "tokonomi.cli.up:up", "Start the gateway with a local model and call it once."),
    ("down", "tokonomi.cli.down:down", "Stop what `tokonomi up` started."),
    ("serve", "tokonomi.cli.serve:serve", "Run the gateway on a store and its configuration."),
    ("apply", "tokonomi.cli.apply:apply_files", "Bring configuration from files into the store."),
    ("config", "tokonomi.cli.config:app", "Show, compare and take back versions of it."),
    ("secrets", "tokonomi.cli.secrets:app", "Set, list and remove secrets of providers."),
    ("keys", "tokonomi.cli.keys:app", "Make, list and revoke the virtual keys of clients."),
    ("batches", "tokonomi.cli.batches:app", "Show batches, and how far each has come."),
    ("breakers", "tokonomi.cli.breakers:app", "Show, open and close the circuit breakers."),
    ("budget", "tokonomi.cli.budget:app", "Make, show and change budgets and exchange rates."),
    ("credits", "tokonomi.cli.credits:app", "Sell, grant, pay back and explain prepaid credits."),
    ("ledger", "tokonomi.cli.ledger:app", "Check that the ledger balances, and open its entries."),
    ("admin", "tokonomi.cli.admin:app", "Make, list and revoke the tokens of the admin API."),
    ("report", "tokonomi.cli.report:report", "Show what calls cost, by any dimensions."),
    ("fallback", "tokonomi.cli.fallback:app", "Show how often fallbacks serve, and what it costs."),
    ("plan", "tokonomi.cli.plan:app", "Plan what a feature will cost before it is built."),
    ("prompt", "tokonomi.cli.prompt:app", "Analyse a prompt: its tokens, and what could go."),
    ("explain", "tokonomi.cli.explain:explain", "Open the cost of one call, line by line."),
    ("prices", "tokonomi.cli.prices:app", "Show, find, compare, check and explain prices."),
    ("import", "tokonomi.cli.imports:import_file", "Read past calls from a file and price them."),
    ("export", "tokonomi.cli.export:app", "Write calls to a file, or the configuration as TOML."),
    ("lake", "tokonomi.cli.lake:app", "Export, compact and thin out the files that reports read."),
]
"""Name, import path and one line of help of each command, in the order of a user's day."""


def application(described: Container[str] = ()) -> App:
    """The command line. A command is imported when it runs or when its own help is asked for.

    The line of help in `COMMANDS` stands for a command's own description, which would need its
    import, except in those of `described`.
    """
    app = App(
        name="tokonomi",
        help="The economics of LLM use in one system: meter every call, price it exactly, open it.",
        version=__version__,
        default_parameter=Parameter(negative=()),
    )
    for place, (name, path, line) in enumerate(COMMANDS):
        own = None if name in described else line
        app.command(path, name=name, help=own, sort_key=place)
    return app


def main(tokens: list[str] | None = None) -> NoReturn:
    """Never returns: runs the command that the arguments name and exits with its code.

    Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 the configuration is wrong, 4 a limit that was
    asked for is crossed, 5 the ledger does not balance,
    6 a stop had to cut requests, 130 interrupted.
    """
    tokens = sys.argv[1:] if tokens is None else tokens
    try:
        _refuse_unknown_command(tokens)
        answer = application(tokens[:1])(
            tokens, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has left, as `| head` does; Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        talk = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
        code, text = _told(error)
        talk.print(text)
        sys.exit(code)
    sys.exit(answer if isinstance(answer, int) else 0)


def _told(error: Exception) -> tuple[int, str]:
    """The exit code for an error, and what the person is told."""
    match error:
        case CycloptsError():
            command = " ".join(["tokonomi", *(error.command_chain or ())])
            text = f"{WrongUsage.code}: {_wrong_use(error)}{_form_of(error)}"
            return WRONG_USAGE, f"{text}\nSee `{command} --help`."
        case WrongUsage():
            return WRONG_USAGE, str(error)
        case BadConfig():
            return WRONG_CONFIG, str(error)
        case TokonomiError():
            return FAILED, str(error)
        case OSError():
            return FAILED, f"system_error: {error}. Check the path, its permissions and its disk."
        case _:
            return FAILED, (
                f"internal_error: {type(error).__name__}: {error}. This is a defect of Tokonomi: "
                f"please report it with what it prints under {TRACEBACK}=1."
            )


def _wrong_use(error: CycloptsError) -> str:
    """What is wrong with the words that a command was given."""
    if isinstance(error, UnusedCliTokensError):
        if tuple(error.command_chain or ())[:2] == _TAKES_A_SECRET:
            return "a secret is no word of this command. Give it on standard input."
        return f"{' '.join(error.unused_tokens or ())} is more than this command takes."
    return str(error)


def _form_of(error: CycloptsError) -> str:
    """How a day or an instant is written, when one could not be read."""
    kind = error.target_type if isinstance(error, CoercionError) else None
    forms = {date: "2026-01-30", datetime: "2026-01-30 or 2026-01-30T09:00Z"}
    return f" Write it like {forms[kind]}." if kind in forms else ""


def _refuse_unknown_command(tokens: list[str]) -> None:
    # The parser would load every command to find a similar name; the names are enough.
    names = [name for name, _, _ in COMMANDS]
    if not tokens or tokens[0].startswith("-") or tokens[0] in names:
        return
    raise WrongUsage(f"there is no command {tokens[0]!r}", remedy=meant(tokens[0], names))
