"""Writes `seed-figures.md`: the figures of the seed documents that are wrong, with ours and why."""

import ast
import json
import operator
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from tokonomi.money import format_number

PAGE = Path(__file__).with_name("seed-figures.md")
FIGURES = Path(__file__).parents[2] / "tests" / "seeds" / "figures"
INTRODUCTION = """# Figures of the seed documents that do not hold

Five documents say what this project is for. Their {figures} figures that can be computed were
computed again, exactly: {right} of the {compared} that a document prints are right, to the last
digit that it prints, after rounding half-up. A test takes every one that is *stated* and right out
of a template or a command (`tests/seeds`).

The {wrong} below are not right, or do not fit another figure of the documents. We keep to what
follows from their own inputs. A month has 30 days. This page is written from the list of figures by
`docs/why/write_seed_figures.py`.
"""
Figure = Mapping[str, Any]
OPERATIONS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def figures() -> list[Figure]:
    """Every figure of the five documents."""
    found: list[Figure] = []
    for name in ("seed_figures.json", "seed001_check.json"):
        found += json.loads((FIGURES / name).read_text("utf-8"))["figures"]
    return sorted(found, key=lambda figure: figure["id"])


def exact_value(figure: Figure) -> Fraction:
    """What the figure's formula gives for its inputs."""
    inputs = {name: Fraction(text) for name, text in figure["inputs"].items()}
    return evaluated(ast.parse(figure["formula"], mode="eval").body, inputs)


def evaluated(node: ast.expr, inputs: Mapping[str, Fraction]) -> Fraction:
    """A sum, difference, product or quotient of numbers and inputs, exactly."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(str(number))
        case ast.Name(id=name):
            return inputs[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -evaluated(operand, inputs)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATIONS:
            return OPERATIONS[type(sign)](evaluated(left, inputs), evaluated(right, inputs))
        case _:
            raise ValueError(f"{ast.dump(node)} is no arithmetic of a figure")


def page() -> str:
    """The whole page."""
    every = figures()
    compared = [figure for figure in every if figure["agrees"] is not None]
    wrong = [figure for figure in compared if not figure["agrees"]]
    introduction = INTRODUCTION.format(
        figures=len(every),
        compared=len(compared),
        right=len(compared) - len(wrong),
        wrong=len(wrong),
    )
    return introduction + "".join(sections(wrong))


def sections(wrong: list[Figure]) -> Iterator[str]:
    """A table for each document."""
    for seed in sorted({figure["seed"] for figure in wrong}):
        title = "Between the documents" if seed == "cross" else f"Seed {seed}"
        yield f"\n## {title}\n\n| figure | it says | we say | why |\n|---|---:|---:|---|\n"
        for figure in wrong:
            if figure["seed"] == seed:
                yield line(figure)


def line(figure: Figure) -> str:
    """The row of one figure."""
    said = f"{figure['seed_value']} {figure['unit']}"
    ours = f"{shown(exact_value(figure))} {figure['unit']}"
    why = figure["note"].removeprefix("OFF: ").removeprefix("OFF ").removeprefix("CONFLICT: ")
    cells = (f"{figure['id']}: {figure['quote']}", said, ours, why)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def shown(value: Fraction) -> str:
    """The value with as many decimals as say something."""
    decimals = 0 if value.denominator == 1 else 2 if abs(value) >= 1 else 12
    text = format_number(value, decimals=decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
