"""The page of the SDK names every public thing, every argument and every dimension."""

import inspect
import re
from pathlib import Path

from tokonomi import sdk
from tokonomi.calls import Status
from tokonomi.sdk.costs import NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "sdk.md").read_text("utf-8")
TABLES = re.findall(r"\|---.*\|\n((?:\|.*\n)+)", PAGE)


def first_cells(table: str) -> list[str]:
    return [row.split("|")[1] for row in table.splitlines()]


def test_the_page_lists_every_public_name_and_no_other() -> None:
    listed = re.findall(r"`(\w+)", "".join(first_cells(TABLES[0])))
    assert sorted(listed) == sorted(sdk.__all__)


def test_the_page_lists_every_argument_of_track_and_no_other() -> None:
    listed = re.findall(r"`(\w+)`", "".join(first_cells(TABLES[1])))
    assert ["client", *listed] == [*inspect.signature(sdk.track).parameters]


def test_the_page_says_when_a_row_has_which_status() -> None:
    listed = {
        name for table in TABLES for name in re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    }
    assert listed >= {*Status} - {Status.IMPORTED}


def test_the_page_names_every_dimension_of_costs() -> None:
    [row] = [row for row in PAGE.splitlines() if row.startswith("| `by(name)`")]
    assert re.findall(r"`(\w+)`", row)[1:] == [*NAMES]
