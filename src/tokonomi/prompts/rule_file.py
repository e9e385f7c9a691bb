"""The TOML form of rules on prompts: what may stand in a file, read strictly, with errors."""

import re
from typing import Annotated, Final, TypeVar

import msgspec

from tokonomi.errors import BadInput
from tokonomi.naming import meant
from tokonomi.prompts.request import Part
from tokonomi.toml_reading import tables_in


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a rule file; a key that it does not name is an error."""


class WhyTable(_Table, frozen=True):
    """Why a finding is one, in English and, where somebody wrote it, in Indonesian."""

    en: str
    id: str = ""


class InstructionTable(_Table, frozen=True):
    """Sentences that a model follows without being told; a pattern speaks of a whole sentence."""

    id: str
    patterns: tuple[str, ...]
    why: WhyTable


class VolatileTable(_Table, frozen=True):
    """Text that is likely to differ from call to call, or, not `certain`, that may."""

    id: str
    patterns: tuple[str, ...]
    why: WhyTable
    certain: bool = False


class SectionTable(_Table, frozen=True):
    """Titles and tags that mark a part of a prompt."""

    part: Part
    titles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class LimitsTable(_Table, frozen=True):
    """Where a finding begins; a limit that a file leaves out keeps its value."""

    similarity_percent: int | None = None
    least_words: int | None = None
    example_tokens: int | None = None
    examples_tokens: int | None = None


class RuleFile(_Table, frozen=True):
    """Rules. One takes the place of a rule with the same id that was read before; `off` ends it."""

    about: str = ""
    terms: dict[str, tuple[str, ...]] = {}
    instruction: tuple[InstructionTable, ...] = ()
    volatile: tuple[VolatileTable, ...] = ()
    section: tuple[SectionTable, ...] = ()
    ignored: tuple[str, ...] = ()
    turning: tuple[str, ...] = ()
    directing: tuple[str, ...] = ()
    opening: tuple[str, ...] = ()
    floating: tuple[str, ...] = ()
    same: tuple[Annotated[tuple[str, ...], msgspec.Meta(min_length=2)], ...] = ()
    limits: LimitsTable = LimitsTable()
    off: tuple[str, ...] = ()


_File = TypeVar("_File", bound=msgspec.Struct)


def read_rule_file(text: str, name: str) -> RuleFile:
    """The rules in a TOML text; `name` is the file's, for errors.

    Raises:
        BadInput: not TOML, or a key or value that may not stand there, with the nearest key.
    """
    return decoded(text, name, RuleFile)


def decoded(text: str, name: str, form: type[_File]) -> _File:
    """The file of a form that a TOML text states.

    Raises:
        BadInput: not TOML, or a key or value that may not stand there, with the nearest key.
    """
    tables = tables_in(text, name)
    try:
        return msgspec.convert(tables, form)
    except msgspec.ValidationError as wrong:
        what, _, path = str(wrong).partition(" - at ")
        raise BadInput(f"{name}{_spoken(path.strip('`'))}: {what}", remedy=_remedy(what)) from None


def _spoken(path: str) -> str:
    """`$.instruction[2].why` as `, in instruction number 3, why`."""
    steps = re.findall(r"\.(\w+)(?:\[(\d+)\])?", path.partition("$")[2])
    words = [f"{key} number {int(index) + 1}" if index else key for key, index in steps]
    return f", in {', '.join(words)}" if words else ""


_TABLES: Final = (
    RuleFile,
    WhyTable,
    InstructionTable,
    VolatileTable,
    SectionTable,
    LimitsTable,
)
_KEYS: Final = sorted(
    {field.encode_name for table in _TABLES for field in msgspec.structs.fields(table)}
)


def _remedy(what: str) -> str:
    if unknown := re.search(r"unknown field `(.+?)`", what):
        return meant(unknown[1], _KEYS)
    if value := re.search(r"Invalid enum value '(.+?)'", what):
        return meant(value[1], list(Part))
    return "See docs/reference/prompts.md for what may stand there."
