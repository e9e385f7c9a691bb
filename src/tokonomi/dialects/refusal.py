"""What becomes of a field that the other dialect may not know: carried, dropped or refused.

Nothing of a request vanishes in silence. What cannot be carried stops the request before it is
sent, by name; what says nothing about the answer is dropped and listed, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Untranslatable:
    """A request that the other dialect cannot express; nothing of it was sent.

    Attributes:
        path: the field, as the client wrote it, such as `messages[2].content[0]`.
        why: what stands in the way, as the rest of a sentence that begins with the path.
        remedy: what to do, as a sentence.
    """

    path: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"`{self.path}` {self.why}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A field that was left out because it says nothing about the answer."""

    path: str
    reason: str


class CannotCarry(Exception):
    """Raised while a request is read or written; `translate.request` makes a value of it."""

    def __init__(self, path: str, why: str, remedy: str) -> None:
        self.refusal = Untranslatable(path, why, remedy)
        super().__init__(str(self.refusal))


@dataclass(frozen=True, slots=True)
class Carried:
    """The field has a place in the neutral form, where `feature` names it, and `also` the rest."""

    feature: str
    also: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """The field says nothing about the answer, so it is dropped and listed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The field cannot be carried.

    Attributes:
        why: the rest of a sentence that begins with the field.
        remedy: what to do, as a sentence.
        harmless: values that only say what happens anyway; these are dropped and listed.
    """

    why: str
    remedy: str
    harmless: tuple[object, ...] = ()


Rule = Carried | Hint | Refused
"""What becomes of a field of a request that leaves its dialect."""

Limit = Hint | Refused
"""What becomes of a feature that a dialect cannot write."""

CACHE_MARKERS: Final = "cache_markers"
CACHE_BY_ITSELF: Final = Hint("this provider chooses its cache by itself")
SAYS_THE_DEFAULT: Final = "it says what happens anyway"
NO_COUNTERPART: Final = "has no counterpart in the provider's dialect"


def judge(
    name: str, value: object, rules: Mapping[str, Rule], dropped: list[Dropped]
) -> Carried | None:
    """The rule of a field that is carried; `None` for one that was dropped, and is listed now.

    Raises:
        CannotCarry: the field is refused, or nobody knows it.
    """
    rule = rules.get(name)
    match rule:
        case Carried():
            return rule
        case Hint(reason):
            dropped.append(Dropped(name, reason))
        case Refused(why, remedy, harmless):
            if not any(type(value) is type(each) and value == each for each in harmless):
                raise CannotCarry(name, why, remedy)
            dropped.append(Dropped(name, SAYS_THE_DEFAULT))
        case None:
            raise CannotCarry(
                name,
                "is unknown, so it cannot be carried into the provider's dialect",
                "Leave it out, or use a model whose provider speaks your dialect.",
            )
    return None
