"""The numbers of a scenario: each an exact value or a distribution with an exact mean.

Written as a number (`200`, `"80%"`, `"2/3"`), as a range (`"100..400"`, `"100..200..400"`: low,
most likely, high), as percentiles (`{ p10 = 90, p50 = 200, p90 = 700 }`) or as recorded values
(`{ values = [120, 80, 310] }`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar, Final, Self, cast

_NUMBER: Final = re.compile(
    r"[+-]?\d[\d_]*(\.\d[\d_]*)?([eE][+-]?\d{1,2})?%?|[+-]?\d{1,18}/[1-9]\d{0,17}"
)
_PERCENTILE: Final = re.compile(r"p(\d{1,3})")
_WHOLE: Final = 100
_RANGE: Final = ".."
MOST_DIGITS: Final = 40
TWO_ENDS: Final = 2


@dataclass(frozen=True, slots=True)
class Exact:
    """One value."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Triangular:
    """A density that rises from `low` to `mode` and falls to `high`; its mean is their mean."""

    low: Fraction
    mode: Fraction
    high: Fraction


@dataclass(frozen=True, slots=True)
class Knots:
    """Percentiles with straight lines between them: (probability, value), from 0 to 1."""

    points: tuple[tuple[Fraction, Fraction], ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Values that were measured, in rising order, each as likely as the others."""

    values: tuple[Fraction, ...]


Shape = Exact | Triangular | Knots | Recorded


class Quantity:
    """A number of a scenario. Two are equal only when they are the same one.

    Attributes:
        text: as it was written.
        shape: its value or its distribution.
        least: the smallest value that a number of this kind may have, None for any.
        most: the largest one.
        in_percent: whether it may be written as a percentage; a number of things may not.

    >>> Quantity.parse("100..200..600").mean
    Fraction(300, 1)
    """

    least: ClassVar[Fraction | None] = None
    most: ClassVar[Fraction | None] = None
    wanted: ClassVar[str] = "a number"
    in_percent: ClassVar[bool] = True

    __slots__ = ("shape", "text")

    def __init__(self, text: str, shape: Shape) -> None:
        self.text = text
        self.shape = shape

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text})"

    @classmethod
    def of(cls, value: Fraction | int) -> Self:
        """The exact value as such a number."""
        return cls(str(value), Exact(Fraction(value)))

    @classmethod
    def parse(cls, raw: object) -> Self:
        """The number that a scenario states.

        Raises:
            ValueError: it is none, or not one of this kind, or a distribution without mass.
        """
        if not cls.in_percent and "%" in str(raw):
            raise ValueError(f"{raw} is a percentage, and not {cls.wanted}")
        match raw:
            case bool():
                raise ValueError(f"{raw} is not {cls.wanted}")
            case int() | str():
                quantity = cls(str(raw), _shape_of_text(str(raw)))
            case Mapping():
                table = cast("Mapping[str, object]", raw)
                quantity = cls(_table_text(table), _shape_of_table(table, cls.least, cls.most))
            case _:
                raise ValueError(f"{raw!r} is not {cls.wanted}")
        for end in (quantity.low, quantity.high):
            too_low = cls.least is not None and end < cls.least
            if too_low or (cls.most is not None and end > cls.most):
                raise ValueError(f"{quantity.text} is not {cls.wanted}")
        return quantity

    @property
    def low(self) -> Fraction:
        """The smallest value that it can have."""
        match self.shape:
            case Exact(value):
                return value
            case Triangular(low):
                return low
            case Knots(points):
                return points[0][1]
            case Recorded(values):
                return values[0]

    @property
    def high(self) -> Fraction:
        """The largest value that it can have."""
        match self.shape:
            case Exact(value):
                return value
            case Triangular(high=high):
                return high
            case Knots(points):
                return points[-1][1]
            case Recorded(values):
                return values[-1]

    @property
    def mean(self) -> Fraction:
        """The exact mean."""
        match self.shape:
            case Exact(value):
                return value
            case Triangular(low, mode, high):
                return (low + mode + high) / 3
            case Knots(points):
                return sum(
                    ((q - p) * (a + b) / 2 for (p, a), (q, b) in pairwise(points)), Fraction()
                )
            case Recorded(values):
                return sum(values, Fraction()) / len(values)

    @property
    def uncertain(self) -> bool:
        """Whether it is a distribution."""
        return not isinstance(self.shape, Exact)


class Natural(Quantity):
    """A number of things, or tokens, or hours: 0 or more, and it may be a mean with a fraction."""

    least = Fraction(0)
    wanted = "a number of 0 or more"
    in_percent = False


class Factor(Quantity):
    """What something is multiplied by: 0 or more."""

    least = Fraction(0)
    wanted = 'a factor of 0 or more, such as 1.5 or "150%"'


class Positive(Quantity):
    """A number above 0, such as turns or attempts: no session has less than one of these."""

    least = Fraction(1)
    wanted = "a number of 1 or more"
    in_percent = False


class Share(Quantity):
    """A part of a whole, from 0 to 1."""

    least = Fraction(0)
    most = Fraction(1)
    wanted = 'a share from 0 to 1, such as "80%"'


class Rate(Quantity):
    """A change per month, such as growth: more than -100 %."""

    least = Fraction(-99, 100)
    wanted = 'a rate above -100%, such as "5%"'


def number_of(text: str) -> Fraction:
    """The exact number that a text states, a percentage among them.

    Raises:
        ValueError: it states none.

    >>> number_of("66.3%"), number_of("1_500"), number_of("2/3")
    (Fraction(663, 1000), Fraction(1500, 1), Fraction(2, 3))
    """
    plain = text.strip()
    if not _NUMBER.fullmatch(plain) or len(plain) > MOST_DIGITS:
        raise ValueError(f"{text!r} is not a number")
    value = Fraction(plain.removesuffix("%").replace("_", ""))
    return value / _WHOLE if plain.endswith("%") else value


def _shape_of_text(text: str) -> Shape:
    if _RANGE not in text:
        return Exact(number_of(text))
    points = [number_of(part) for part in text.split(_RANGE)]
    if points != sorted(points):
        raise ValueError(f"{text} does not rise from low to high")
    if points[0] == points[-1]:
        raise ValueError(f"the distribution {text} has no mass; write the one number")
    match points:
        case [low, high]:
            return Knots(((Fraction(0), low), (Fraction(1), high)))
        case [low, mode, high]:
            return Triangular(low, mode, high)
        case _:
            raise ValueError(f"{text} is neither low..high nor low..most likely..high")


def _table_text(table: Mapping[str, object]) -> str:
    stated = [f"{name} = {_short(value)}" for name, value in table.items()]
    return f"{{ {', '.join(stated)} }}"


def _short(value: object) -> str:
    match value:
        case list():
            return f"[{len(cast('Sequence[object]', value))} values]"
        case _:
            return str(value)


def _shape_of_table(
    table: Mapping[str, object], least: Fraction | None, most: Fraction | None
) -> Shape:
    if not table:
        raise ValueError("a distribution without percentiles has no mass")
    if "values" in table:
        return _recorded(table)
    return Knots(_with_ends([*_percentiles(table)], least, most))


def _recorded(table: Mapping[str, object]) -> Recorded:
    values = table["values"]
    if len(table) > 1 or not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError("recorded values stand alone, as { values = [120, 80, 310] }")
    if not values:
        raise ValueError("a distribution without recorded values has no mass")
    return Recorded(tuple(sorted(number_of(str(each)) for each in cast("list[object]", values))))


def _percentiles(table: Mapping[str, object]) -> Iterator[tuple[Fraction, Fraction]]:
    stated: dict[int, Fraction] = {}
    for name, value in table.items():
        match = _PERCENTILE.fullmatch(name)
        if match is None or int(match[1]) > _WHOLE:
            raise ValueError(f"{name} is not a percentile; write p0 to p100, or values")
        stated[int(match[1])] = number_of(str(value))
    values = [stated[percent] for percent in sorted(stated)]
    if len(values) < TWO_ENDS or values[0] == values[-1]:
        raise ValueError("a distribution needs two percentiles that differ, or it has no mass")
    if values != sorted(values):
        raise ValueError(f"the percentiles {_table_text(table)} do not rise")
    for percent in sorted(stated):
        yield Fraction(percent, _WHOLE), stated[percent]


def _with_ends(
    points: list[tuple[Fraction, Fraction]], least: Fraction | None, most: Fraction | None
) -> tuple[tuple[Fraction, Fraction], ...]:
    """The percentiles with the 0th and the 100th: the first and last line go on as they are."""
    (p, a), (q, b) = points[0], points[1]
    if p > 0:
        start = a - (b - a) / (q - p) * p
        points.insert(0, (Fraction(0), start if least is None else max(start, min(least, a))))
    (p, a), (q, b) = points[-2], points[-1]
    if q < 1:
        end = b + (b - a) / (q - p) * (1 - q)
        points.append((Fraction(1), end if most is None else min(end, max(most, b))))
    return tuple(points)
