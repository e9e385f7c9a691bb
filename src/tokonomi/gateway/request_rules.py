"""What may stand in a body when a budget must bound it, from the dated files of the catalogue.

Everything that is not listed is refused, because nobody has looked at what it may cost. The lists
are data: a new field of a provider is a line in `catalogue/requests`, and not code.
"""

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from tokonomi.providers.adapter import Dialect

LISTED: Final = (
    Dialect.OPENAI_CHAT,
    Dialect.OPENAI_RESPONSES,
    Dialect.OPENAI_EMBEDDINGS,
    Dialect.ANTHROPIC_MESSAGES,
)
"""The dialects in which clients may speak to the gateway."""


ALTERNATIVE: Final = "|"
"""Stands between the fields of which an object needs one."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a list; a key that it does not name is an error."""


class ObjectRule(_Table, frozen=True):
    """How the fields of one JSON object are bounded.

    Attributes:
        free: fields that cost nothing beyond the tokens of their text.
        reads: other fields, with how their value is read: `way` or `way:argument`.
        needs: fields that must be there, since only they bound the object; of `a|b` one must.
        tokens: what a provider writes into the prompt for it.
        then: what the whole object means beside its fields.
        why: why an object of this kind has no bound; then it is refused.
        remedy: what to do instead.
    """

    free: frozenset[str] = frozenset()
    reads: Mapping[str, str] = {}
    needs: tuple[str, ...] = ()
    tokens: int = 0
    then: str = ""
    why: str = ""
    remedy: str = ""


class KindRules(_Table, frozen=True):
    """Objects of several kinds, such as the parts of a message.

    Attributes:
        noun: what people call one of them.
        of: the kinds.
        by: the field that names the kind.
        untyped: the kind of an object that does not name its own; empty when it must.
    """

    noun: str
    of: Mapping[str, ObjectRule]
    by: str = "type"
    untyped: str = ""


class Refusal(_Table, frozen=True):
    """Fields of a body that are known to have no bound."""

    names: tuple[str, ...]
    why: str
    remedy: str


class RequestRules(_Table, frozen=True):
    """The list of one dialect.

    Attributes:
        about: what the list is.
        dialect: whose bodies it is about.
        read_on: the day on which its sources were read.
        sources: where its facts come from.
        body: the top level of a body.
        refused: fields of the top level that have no bound.
        objects: other objects, by name.
        kinds: groups of objects that name their kind.
        tokens_of_an_image: the most that one image in the input costs.
        tokens_of_tools: what a provider writes around tools.
        turns_of_server_tools: how often the provider's own tools may have the model read all
            again; 0 where the body's limit of tool calls says it.
        searches_of_a_chat: searches that are held where nothing in a body limits them.
        native_search: how models begin whose provider searches by itself at OpenRouter.
        turns_of_native_search: how often such a model may read its results again.
        results_of_a_search: results that the fee of one search at OpenRouter covers.
    """

    about: str
    dialect: Dialect
    read_on: date
    sources: tuple[str, ...]
    body: ObjectRule
    refused: tuple[Refusal, ...] = ()
    objects: Mapping[str, ObjectRule] = {}
    kinds: Mapping[str, KindRules] = {}
    tokens_of_an_image: int = 0
    tokens_of_tools: int = 0
    turns_of_server_tools: int = 0
    searches_of_a_chat: int = 0
    native_search: tuple[str, ...] = ()
    turns_of_native_search: int = 1
    results_of_a_search: int = 1

    def refusal_of(self, name: str) -> Refusal | None:
        """Why a field of the body is refused, where somebody has said so."""
        return next((each for each in self.refused if name in each.names), None)


@cache
def rules_of(dialect: Dialect) -> RequestRules:
    """The list of a dialect, which must be one of `LISTED`."""
    path = files("tokonomi.catalogue").joinpath("requests", f"{dialect}.toml")
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), RequestRules)
