"""The project's own files, read once for all house rules."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "benchmarks", "docs", ".ci")
SKIPPED_SUFFIXES = (".pyc", ".png", ".parquet", ".gz", ".mo")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def texts() -> Mapping[str, str]:
    """Every text file of the project, by its path from the root."""
    top = [path for path in ROOT.iterdir() if path.is_file()]
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
        for path in sorted(top + inside)
        if path.suffix not in SKIPPED_SUFFIXES
        and "__pycache__" not in path.parts
        and not path.name.startswith(".coverage")
    }


@pytest.fixture(scope="session")
def trees(texts: Mapping[str, str]) -> Mapping[str, ast.Module]:
    """Every Python file of the project, parsed."""
    return {path: ast.parse(text, path) for path, text in texts.items() if path.endswith(".py")}


@pytest.fixture(scope="session")
def source_trees(trees: Mapping[str, ast.Module]) -> Mapping[str, ast.Module]:
    return {path: tree for path, tree in trees.items() if path.startswith("src/")}


@pytest.fixture(scope="session")
def test_trees(trees: Mapping[str, ast.Module]) -> Mapping[str, ast.Module]:
    return {path: tree for path, tree in trees.items() if Path(path).name.startswith("test_")}
