"""Writes cli.md, the page of all commands, from the program itself: `make docs`."""

from pathlib import Path

from tokonomi.cli import COMMANDS, application

HEAD = "<!-- Written by write_cli.py; change the commands, then run `make docs`. -->\n\n"


def page() -> str:
    """The page as it should be now."""
    names = [name for name, _, _ in COMMANDS]
    app = application(names)
    for name in names:
        app[name]  # looking a command up loads it
    text = app.generate_docs("markdown", usage_name="tokonomi")
    return HEAD + "\n".join(line.rstrip() for line in text.splitlines()).strip() + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("cli.md").write_text(page(), "utf-8")
