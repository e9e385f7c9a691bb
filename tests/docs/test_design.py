"""The design's drawing of rooms is the package as it is, and no page links to nowhere."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
NOT_ROOMS = {"__init__.py", "__main__.py", "py.typed", "catalogue", "__pycache__"}


def drawn_rooms() -> list[str]:
    design = (ROOT / "docs" / "design.md").read_text("utf-8")
    [drawing] = re.findall(r"## Rooms\n.*?```\n(.*?)```", design, re.DOTALL)
    return re.findall(r"^(\w+)(?:/|\.py) ", drawing, re.MULTILINE)


def test_the_drawing_shows_every_room_and_no_other() -> None:
    package = ROOT / "src" / "tokonomi"
    rooms = {path.name for path in package.iterdir()} - NOT_ROOMS
    assert {room.removesuffix(".py") for room in rooms} == {*drawn_rooms()}


def test_the_drawing_has_the_order_that_imports_keep_to() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    place = {name: number for number, layer in enumerate(layers) for name in layer.split(" | ")}
    places = [place[room] for room in drawn_rooms()]
    assert places == sorted(places)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
