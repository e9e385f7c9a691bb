"""Writes dialects.md, what is carried between dialects, from the tables that do it: `make docs`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from tokonomi.dialects import anthropic_messages, openai_chat, openai_responses
from tokonomi.dialects.anthropic_messages import errors as anthropic_errors
from tokonomi.dialects.anthropic_messages.write_answer import STOP_REASONS
from tokonomi.dialects.destination import Destination, IngressName
from tokonomi.dialects.dialect import EGRESS
from tokonomi.dialects.openai_chat.forms import FORMS, PLAIN, ChatForm
from tokonomi.dialects.openai_chat.write_answer import FINISH_REASONS
from tokonomi.dialects.openai_errors import TYPES
from tokonomi.dialects.openai_responses.write_answer import UNFINISHED
from tokonomi.dialects.reasoning import (
    ANTHROPIC_EFFORTS,
    BUDGET_OF_EFFORT,
    EFFORTS,
    GEMINI_LEVELS,
    SHARE_OF_OUTPUT,
)
from tokonomi.dialects.refusal import Carried, Hint, Refused, Rule

HERE = Path(__file__).parent
HEAD = "<!-- Written by write_dialects.py; change the tables, then run `make docs`. -->\n\n"
PROVIDERS: Mapping[str, Destination] = {
    "OpenAI chat": Destination(dialect="openai_chat", model="m", provider="openai"),
    "OpenRouter": Destination(dialect="openai_chat", model="m", provider="openrouter"),
    "own server": Destination(dialect="openai_chat", model="m"),
    "responses": Destination(dialect="openai_responses", model="m", provider="openai"),
    "Anthropic": Destination(dialect="anthropic_messages", model="m"),
    "Gemini": Destination(dialect="gemini", model="m"),
}
CLIENTS: Mapping[str, tuple[IngressName, Mapping[str, Rule]]] = {
    "chat completions": ("openai_chat", openai_chat.INGRESS.rules),
    "responses": ("openai_responses", openai_responses.INGRESS.rules),
    "Anthropic's messages": ("anthropic_messages", anthropic_messages.INGRESS.rules),
}


def page() -> str:
    """The page as it should be now."""
    told = (HERE / "dialects_told.md").read_text("utf-8")
    tables = {
        "requests": "\n".join(_requests()),
        "ends": "\n".join(_ends()),
        "errors": "\n".join(_errors()),
        "efforts": "\n".join(_efforts()),
        "forms": "\n".join(_forms()),
    }
    for name, table in tables.items():
        told = told.replace(f"{{{name}}}", table)
    return HEAD + told


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _table(heads: Sequence[str]) -> Iterator[str]:
    yield _row(*heads)
    yield _row(*("---" for _ in heads))


def _requests() -> Iterator[str]:
    for client, (ingress, rules) in CLIENTS.items():
        others = {name: to for name, to in PROVIDERS.items() if to.dialect != ingress}
        yield f"### From {client}\n"
        yield from _table(["field", *others])
        reasons: list[str] = []
        for field, rule in rules.items():
            yield _row(f"`{field}`", *(_fate(rule, to) for to in others.values()))
            reasons += _reasons(field, rule, others)
        yield ""
        yield from reasons
        yield ""


def _fate(rule: Rule, to: Destination) -> str:
    limit = EGRESS[to.dialect].limits(to).get(rule.feature) if isinstance(rule, Carried) else rule
    match limit:
        case Hint():
            return "dropped"
        case Refused():
            return "refused"
        case _:
            return "carried"


def _reasons(field: str, rule: Rule, others: Mapping[str, Destination]) -> Iterator[str]:
    if not isinstance(rule, Carried):
        yield f"- `{field}` {_said(rule)}"
        return
    limits = {name: EGRESS[to.dialect].limits(to).get(rule.feature) for name, to in others.items()}
    for limit in dict.fromkeys(limit for limit in limits.values() if limit is not None):
        names = ", ".join(name for name, each in limits.items() if each == limit)
        yield f"- `{field}`, to {names}: {_said(limit)}"


def _said(limit: Hint | Refused) -> str:
    if isinstance(limit, Hint):
        return f"is dropped: {limit.reason}."
    harmless = " or ".join(f"`{msgspec.json.encode(each).decode()}`" for each in limit.harmless)
    save = f" Dropped when it is {harmless}." if harmless else ""
    return f"{limit.why}. {limit.remedy}{save}"


def _ends() -> Iterator[str]:
    yield from _table(["why it ended", "chat completions", "responses", "Anthropic's messages"])
    for finish, reason in FINISH_REASONS.items():
        unfinished = UNFINISHED.get(finish)
        status = f"`incomplete`: `{unfinished}`" if unfinished else "`completed`"
        yield _row(f"`{finish}`", f"`{reason}`", status, f"`{STOP_REASONS[finish]}`")


def _errors() -> Iterator[str]:
    yield from _table(["kind", "OpenAI's `type`", "Anthropic's `type`"])
    for kind, name in TYPES.items():
        yield _row(f"`{kind}`", f"`{name}`", f"`{anthropic_errors.TYPES[kind]}`")


def _efforts() -> Iterator[str]:
    heads = ["effort", "Claude after 4.5", "older Claude", "Gemini 3 and later", "Gemini 2.5"]
    yield from _table(heads)
    for effort in EFFORTS.values():
        share = SHARE_OF_OUTPUT.get(effort)
        yield _row(
            f"`{effort}`",
            f"`{ANTHROPIC_EFFORTS[effort]}`" if effort in ANTHROPIC_EFFORTS else "disabled",
            f"{share} % of the output limit" if share else "disabled",
            f"`{GEMINI_LEVELS[effort]}`",
            f"{BUDGET_OF_EFFORT[effort]:,} tokens",
        )


def _forms() -> Iterator[str]:
    heads = ["provider", "output limit", "reasoning", "of earlier turns", "cache markers", "search"]
    yield from _table([*heads, "`top_k`"])
    for name, form in {**FORMS, "any other": PLAIN}.items():
        yield _row(f"`{name}`" if name in FORMS else name, *_form(form))


def _form(form: ChatForm) -> Iterator[str]:
    yield f"`{form.limit_field}`"
    yield {"effort": "`reasoning_effort`", "object": "`reasoning`"}[form.reasoning]
    yield {"": "not sent", "details": "`reasoning_details`", "content": "`reasoning_content`"}[
        form.history
    ]
    yield "yes" if form.cache_markers else "no"
    yield {"": "no", "openrouter": "`:online`, `plugins`", "options": "`web_search_options`"}[
        form.search
    ]
    yield "yes" if form.top_k else "no"


if __name__ == "__main__":
    (HERE / "dialects.md").write_text(page(), "utf-8")
