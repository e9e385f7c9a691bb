"""Every package that we depend on has a line that says why, and no line is left over."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

NAME = re.compile(r"[A-Za-z0-9._-]+")
LINE = re.compile(r"^\| `([a-z0-9._-]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def requirements(project: dict[str, Any], makefile: str) -> Iterator[str]:
    yield from project["build-system"]["requires"]
    yield from project["project"]["dependencies"]
    for extra in project["project"]["optional-dependencies"].values():
        yield from extra
    for group in project["dependency-groups"].values():
        yield from (each for each in group if isinstance(each, str))
    yield from re.findall(r"^WEIGHTS := (\S+)", makefile, re.MULTILINE)


def test_every_dependency_has_a_line_that_says_why_and_what_would_replace_it(
    texts: Mapping[str, str],
) -> None:
    project = tomllib.loads(texts["pyproject.toml"])
    wanted: set[str] = set()
    for requirement in requirements(project, texts["Makefile"]):
        name = NAME.match(requirement)
        assert name is not None
        wanted.add(name[0].lower())
    explained = {match[1] for match in LINE.finditer(texts["docs/dependencies.md"])}
    assert explained == wanted
