"""House rules on words: docstrings, unfinished work, and what never stands in the project."""

import ast
import re
from collections.abc import Iterator, Mapping

UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|HA" + r"CK)\b|# XX" + r"X\b")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(work|root|home/\w+)/")
REGISTRY_HOSTS = re.compile(
    "|".join(
        re.escape(host)
        for host in ("pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "debian" + ".org")
    )
)
BANNER = re.compile(r"^\s*#\s*[-=#*~]{4,}", re.MULTILINE)

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_things(tree: ast.Module | ast.ClassDef) -> Iterator[Documented]:
    for node in tree.body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public_things(node)


def says_it_elsewhere(node: Documented) -> bool:
    """An overload is described by its implementation, an override by what it overrides."""
    decorators = " ".join(ast.unparse(each) for each in node.decorator_list)
    return "overload" in decorators or "override" in decorators


def matching_lines(texts: Mapping[str, str], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number} {line.strip()[:80]}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_every_public_thing_of_the_package_has_a_docstring(
    source_trees: Mapping[str, ast.Module],
) -> None:
    silent = [
        f"{path}:{node.name}"
        for path, tree in source_trees.items()
        for node in public_things(tree)
        if ast.get_docstring(node) is None and not says_it_elsewhere(node)
    ]
    assert silent == []


def test_every_module_of_the_package_says_what_it_is(
    source_trees: Mapping[str, ast.Module],
) -> None:
    assert [path for path, tree in source_trees.items() if not ast.get_docstring(tree)] == []


def test_no_file_speaks_of_unfinished_work(texts: Mapping[str, str]) -> None:
    ours = {path: text for path, text in texts.items() if path != "LICENSE"}
    assert matching_lines(ours, UNFINISHED) == []


def test_no_file_names_a_path_of_one_machine(texts: Mapping[str, str]) -> None:
    assert matching_lines(texts, MACHINE_PATHS) == []


def test_no_file_names_the_host_of_a_package_registry(texts: Mapping[str, str]) -> None:
    assert matching_lines(texts, REGISTRY_HOSTS) == []


def test_no_comment_is_a_banner_of_signs(
    texts: Mapping[str, str], trees: Mapping[str, ast.Module]
) -> None:
    assert [path for path in trees if BANNER.search(texts[path])] == []


def test_the_licence_is_present_and_named_in_the_metadata(texts: Mapping[str, str]) -> None:
    assert "Apache License" in texts["LICENSE"]
    assert "Version 2.0, January 2004" in texts["LICENSE"]
    assert 'license = "Apache-2.0"' in texts["pyproject.toml"]
