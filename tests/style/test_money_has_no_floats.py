"""No binary fraction comes near money: in the rooms that make amounts there is no float at all."""

import ast
from collections.abc import Iterator, Mapping

MONEY_ROOMS = (
    "src/tokonomi/money.py",
    "src/tokonomi/usage.py",
    "src/tokonomi/calls.py",
    "src/tokonomi/pricing/",
    "src/tokonomi/ledger/",
    "src/tokonomi/budgets/",
    "src/tokonomi/credits/",
    "src/tokonomi/prompts/",
)


def floats_in(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float()) | ast.Name(id="float"):
                yield node.lineno
            case _:
                pass


def test_the_money_rooms_hold_no_float_literal_type_or_call(
    source_trees: Mapping[str, ast.Module],
) -> None:
    rooms = {path: tree for path, tree in source_trees.items() if path.startswith(MONEY_ROOMS)}
    assert len(rooms) > 3
    assert {path: found for path, tree in rooms.items() if (found := [*floats_in(tree)])} == {}
