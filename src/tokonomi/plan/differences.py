"""Where two scenarios differ: each value that one states otherwise than the other, by its path."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from tokonomi.plan.document import Node, slug

WORDS_ALONE: Final = ("plan.notes.", "extends")
"""Paths whose values change no figure."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A value under a path, before and after; None where it is not stated."""

    path: str
    before: str | None
    after: str | None


def differences(before: Node, after: Node) -> tuple[Difference, ...]:
    """What changed between two documents, in the order of the first, new values last."""
    old, new = dict(_values(before, ())), dict(_values(after, ()))
    paths = dict.fromkeys((*old, *new))
    changed = (Difference(path, old.get(path), new.get(path)) for path in paths)
    return tuple(
        each
        for each in changed
        if each.before != each.after and not each.path.startswith(WORDS_ALONE)
    )


def _values(node: Node, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    match node.value:
        case dict():
            for key, below in cast("Mapping[str, Node]", node.value).items():
                yield from _values(below, (*path, key))
        case list():
            for number, item in enumerate(cast("Sequence[Node]", node.value)):
                yield from _values(item, (*path, slug(item.name) or str(number)))
        case _:
            yield ".".join(path), str(node.value)
