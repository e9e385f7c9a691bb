"""Every package that we depend on has a line that says why, and no line is left over."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from typing import Any

NAME = re.compile(r"[A-Za-z0-9._-]+")
LINE = re.compile(r"^\| `([a-z0-9._-]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)

NOT_IMPORTED_BY_US = {
    "duckdb": "Ibis runs on it, and Ibis 12 needs the limit",
    "sqlglot": "Ibis compiles with it, and Ibis 12 needs the limit",
}


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (each.name.partition(".")[0] for each in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case _:
                pass


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


def test_every_package_that_is_needed_to_run_is_imported(
    texts: Mapping[str, str], source_trees: Mapping[str, ast.Module]
) -> None:
    project = tomllib.loads(texts["pyproject.toml"])
    needed = {re.split(r"[^A-Za-z0-9._-]", each)[0] for each in project["project"]["dependencies"]}
    modules = {module for tree in source_trees.values() for module in imported(tree)}
    distributions = packages_distributions()
    used = {
        name.lower().replace("_", "-")
        for module in modules
        for name in distributions.get(module, ())
    }
    assert needed - used == {*NOT_IMPORTED_BY_US}
