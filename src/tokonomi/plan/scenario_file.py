"""A typed and checked scenario from the values of a file."""

import re
from typing import Final, get_args

import msgspec

from tokonomi.errors import BadPlan
from tokonomi.naming import meant
from tokonomi.plan.checks import check
from tokonomi.plan.document import Node
from tokonomi.plan.own_packages import check_packages
from tokonomi.plan.quantity import Quantity
from tokonomi.plan.scenario import Scenario
from tokonomi.toml_places import Place

_AT: Final = re.compile(r" - at `\$(.*)`$")
_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+)`")
_MISSING: Final = re.compile(r"Object missing required field `(.+)`")


def scenario_of(document: Node) -> Scenario:
    """The typed and checked scenario of a document.

    Raises:
        BadPlan: a key is unknown, a value is wrong, or the whole contradicts itself.
    """
    try:
        scenario = msgspec.convert(document.plain(), Scenario, dec_hook=_number)
    except msgspec.ValidationError as wrong:
        raise _told(str(wrong), document) from None
    check(scenario, lambda place: document.at(place).where)
    check_packages(scenario, lambda place: document.at(place).where)
    return scenario


def _number(kind: type, raw: object) -> object:
    assert issubclass(kind, Quantity), f"{kind} is no number of a scenario"
    return kind.parse(raw)


def _told(text: str, document: Node) -> BadPlan:
    """A validation error as a person reads it: file, line, key, and the nearest right key."""
    at = _AT.search(text)
    steps = _STEP.findall(at[1] if at else "")
    place: Place = tuple(name or int(number) for name, number in steps)
    what = _AT.sub("", text)
    if unknown := _UNKNOWN.search(what):
        where = document.at((*place, unknown[1])).where
        return BadPlan(
            f'{where}: unknown key "{unknown[1]}"', remedy=meant(unknown[1], _keys_at(place))
        )
    where = document.at(place).where
    if missing := _MISSING.search(what):
        table = dotted(place) or "the scenario"
        return BadPlan(f'{where}: {table} lacks "{missing[1]}"', remedy=f"Add {missing[1]}.")
    said = f"{what[:1].lower()}{what[1:]}"
    return BadPlan(f"{where}: {dotted(place)}: {said}", remedy="Mend the value.")


def dotted(place: Place) -> str:
    """A place as people write it.

    >>> dotted(("feature", 0, "turns"))
    'feature[0].turns'
    """
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(steps).removeprefix(".")


def _keys_at(place: Place) -> list[str]:
    table: type[msgspec.Struct] | None = Scenario
    for step in place:
        if isinstance(step, str) and table is not None:
            kinds = {field.name: field.type for field in msgspec.structs.fields(table)}
            table = table_in(kinds.get(step))
    return [] if table is None else [field.name for field in msgspec.structs.fields(table)]


def table_in(kind: object) -> type[msgspec.Struct] | None:
    """The table that a field's type holds, alone or in a list."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next((found for each in get_args(kind) if (found := table_in(each))), None)
