"""House rules on tests: named by sentences, asserting, never sleeping, skipped with a reason."""

import ast
from collections.abc import Iterator, Mapping

WORDS_IN_A_NAME = 4
CHECKS = frozenset({"raises", "warns", "fail"})


def named_tests(trees: Mapping[str, ast.Module]) -> Iterator[tuple[str, ast.AST, str]]:
    for path, tree in trees.items():
        for node in ast.walk(tree):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    if name.startswith("test_"):
                        yield f"{path}:{name}", node, name
                case _:
                    pass


def asserts_something(test: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Attribute) and node.attr in CHECKS)
        or (isinstance(node, ast.Call) and "assert" in ast.unparse(node.func))
        for node in ast.walk(test)
    )


def calls_named(tree: ast.Module, names: frozenset[str]) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in names:
                yield node
            case _:
                pass


def gives_up_control_only(call: ast.Call) -> bool:
    match call.args:
        case [ast.Constant(value=0)]:
            return True
        case _:
            return False


def bare_marks(tree: ast.Module) -> Iterator[ast.Attribute]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Attribute(attr="mark"), attr="skip" | "xfail"):
                if id(node) not in called:
                    yield node
            case _:
                pass


def gives_a_reason(call: ast.Call) -> bool:
    return any(keyword.arg == "reason" for keyword in call.keywords) or (
        isinstance(call.func, ast.Attribute) and call.func.attr == "skip" and bool(call.args)
    )


def test_the_name_of_a_test_is_a_sentence(test_trees: Mapping[str, ast.Module]) -> None:
    short = [
        where
        for where, _, name in named_tests(test_trees)
        if len(name.removeprefix("test_").split("_")) < WORDS_IN_A_NAME
    ]
    assert short == []


def test_every_test_asserts_something(test_trees: Mapping[str, ast.Module]) -> None:
    silent = [where for where, test, _ in named_tests(test_trees) if not asserts_something(test)]
    assert silent == []


def test_no_test_sleeps_instead_of_waiting_for_a_condition(
    trees: Mapping[str, ast.Module],
) -> None:
    sleeping = [
        f"{path}:{call.lineno}"
        for path, tree in trees.items()
        if path.startswith("tests/")
        for call in calls_named(tree, frozenset({"sleep"}))
        if not gives_up_control_only(call)
    ]
    assert sleeping == []


def test_a_test_is_skipped_or_expected_to_fail_only_with_a_reason(
    test_trees: Mapping[str, ast.Module],
) -> None:
    unexplained = [
        f"{path}:{node.lineno}"
        for path, tree in test_trees.items()
        for node in (
            *bare_marks(tree),
            *(
                call
                for call in calls_named(tree, frozenset({"skip", "skipif", "xfail"}))
                if not gives_a_reason(call)
            ),
        )
    ]
    assert unexplained == []


def test_no_test_replaces_our_own_code_by_a_mock(trees: Mapping[str, ast.Module]) -> None:
    mocking = [
        path
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest"))
        or (isinstance(node, ast.Import) and any(a.name.startswith("unittest") for a in node.names))
    ]
    assert mocking == []
