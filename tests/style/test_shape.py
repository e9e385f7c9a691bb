"""House rules on the shape of code: lengths, parameters, names, what may be caught."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

FUNCTION_LINES = 60
FILE_LINES = 500
POSITIONAL_PARAMETERS = 5

LONG_FUNCTIONS: Mapping[str, str] = {}
"""`path:function` of each function that may be longer, with the reason."""

BROAD_EXCEPTS: Mapping[str, str] = {
    "src/tokonomi/gateway/upkeep.py:_supervised": "a defect in one round must not end all rounds",
    "src/tokonomi/gateway/batches/keeper.py:_supervised": "a defect in one must not end the others",
    "src/tokonomi/cli/__init__.py:main": "the border to a person, who sees no traceback",
    "src/tokonomi/sdk/border.py:around": "measuring must not break the call that it measures",
}
"""`path:function` of each function that may catch everything, with the reason."""

BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "misc"}) | {
    "core",
    "base",
    "tools",
    "stuff",
    "lib",
}

type_of_function = (ast.FunctionDef, ast.AsyncFunctionDef)
BROAD = frozenset({"Exception", "BaseException"})


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, type_of_function):
            yield node


def names_in(node: ast.expr | None) -> set[str]:
    if node is None:
        return set()
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def catches_everything(node: ast.AST) -> bool:
    """Whether it swallows every error; to clean up and raise the same error again is no catch."""
    match node:
        case ast.ExceptHandler(body=[*_, ast.Raise(exc=None)]):
            return False
        case ast.ExceptHandler(type=None):
            return True
        case ast.ExceptHandler(type=caught):
            return bool(names_in(caught) & BROAD)
        case ast.Call(func=ast.Attribute(attr="suppress") | ast.Name(id="suppress"), args=caught):
            return any(names_in(each) & BROAD for each in caught)
        case _:
            return False


def test_a_function_has_at_most_sixty_lines(trees: Mapping[str, ast.Module]) -> None:
    too_long = {
        f"{path}:{function.name}": length
        for path, tree in trees.items()
        for function in functions(tree)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    }
    assert too_long.keys() - LONG_FUNCTIONS.keys() == set(), too_long


def test_a_file_of_code_has_at_most_five_hundred_lines(
    texts: Mapping[str, str], trees: Mapping[str, ast.Module]
) -> None:
    lengths = {path: texts[path].count("\n") for path in trees}
    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES} == {}


def test_a_function_takes_at_most_five_positional_parameters(
    source_trees: Mapping[str, ast.Module],
) -> None:
    counts = {
        f"{path}:{function.name}": len(function.args.posonlyargs) + len(function.args.args)
        for path, tree in source_trees.items()
        for function in functions(tree)
    }
    assert {where: n for where, n in counts.items() if n > POSITIONAL_PARAMETERS} == {}


def test_no_file_or_folder_has_a_name_that_says_nothing(trees: Mapping[str, ast.Module]) -> None:
    named = {path: {PurePosixPath(path).stem, *PurePosixPath(path).parts} for path in trees}
    assert {path: found for path, names in named.items() if (found := names & BANNED_NAMES)} == {}


def test_no_code_catches_everything_without_a_listed_reason(
    source_trees: Mapping[str, ast.Module],
) -> None:
    broad = {
        f"{path}:{function.name}"
        for path, tree in source_trees.items()
        for function in functions(tree)
        if any(catches_everything(node) for node in ast.walk(function))
    }
    at_module_level = {
        path
        for path, tree in source_trees.items()
        for statement in tree.body
        if not isinstance(statement, (*type_of_function, ast.ClassDef))
        and any(catches_everything(node) for node in ast.walk(statement))
    }
    assert broad | at_module_level == set(BROAD_EXCEPTS)


def test_every_listed_exception_gives_its_reason_and_still_exists(
    trees: Mapping[str, ast.Module],
) -> None:
    listed = {**LONG_FUNCTIONS, **BROAD_EXCEPTS}
    existing = {f"{path}:{each.name}" for path, tree in trees.items() for each in functions(tree)}
    assert listed.keys() - existing == set()
    assert [where for where, reason in listed.items() if len(reason.split()) < 5] == []
