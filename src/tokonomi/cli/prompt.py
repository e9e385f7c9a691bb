"""`tokonomi prompt`: what a prompt consists of, what could go, and what that would save."""

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from tokonomi.cli.prices import BUNDLED, Source
from tokonomi.cli.report import NO_CONVERSION, Conversion, exchange_rate, write_bytes
from tokonomi.cli.store_options import in_utc, utc_now
from tokonomi.errors import BadInput, WrongUsage
from tokonomi.money import Locale
from tokonomi.pricing.book import PriceBook
from tokonomi.prompts.analyse import analyse as analysed
from tokonomi.prompts.finding import Analysis
from tokonomi.prompts.model_facts import NO_ENCODING, CacheMinimum
from tokonomi.prompts.request import PromptFile, from_json, from_json_lines, from_text
from tokonomi.prompts.savings import Terms, savings
from tokonomi.providers.token_estimate import estimated_tokens, has_vocabulary
from tokonomi.reports.prompt_report import Counting, PromptReport
from tokonomi.reports.prompt_words import say
from tokonomi.reports.prompts import PromptForm, prompt_report
from tokonomi.storage.price_files import load_book
from tokonomi.storage.prompt_files import load_model_facts, load_prompt_rules

app = App(name="prompt", help="Analyse a prompt: its tokens, what could go, what that saves.")

LIMIT_CROSSED: Final = 4
MOST_BYTES: Final = 64 * 1024 * 1024
"""Files beyond this are refused: an analysis holds all of its file in memory several times."""

ReadAs = Literal["auto", "text", "json", "jsonl"]
_READERS: Final[Mapping[str, Callable[[str, str], PromptFile]]] = {
    "text": from_text,
    "json": from_json,
    "jsonl": from_json_lines,
}
_KINDS: Final = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What calls are made with the prompt.

    Attributes:
        model: the model by any of its names; without it, the one that the request names.
        provider: who bills; without it the model's name says.
        calls_per_month: how many calls carry the prompt.
        cache_hits: share of the calls that find the prefix in the provider's cache today, such as
            90%. Not given: nothing is taken to be cached.
        at: the instant of the prices, in UTC; now when not given.
    """

    model: str = ""
    provider: str = ""
    calls_per_month: int | None = None
    cache_hits: str = ""
    at: datetime | None = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When the exit code is 4, once everything is printed.

    Attributes:
        fail_over_tokens: the prompt has more tokens than this.
        fail_over_findings: there are more findings than this; those with a question mark do not
            count.
    """

    fail_over_tokens: int | None = None
    fail_over_findings: int | None = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How the answer is written.

    Attributes:
        format: the form.
        output: a file to write to instead of the terminal.
        locale: language of tables and Markdown.
    """

    format: PromptForm = "table"
    output: Path | None = None
    locale: Locale = "en"


NO_VOLUME: Final = Volume()
NO_LIMITS: Final = Limits()
AS_TABLE: Final = Output()


@app.command
def analyse(
    file: Path,
    /,
    *,
    read_as: ReadAs = "auto",
    rules: Annotated[list[Path] | None, Parameter(negative=())] = None,
    volume: Volume = NO_VOLUME,
    limits: Limits = NO_LIMITS,
    source: Source = BUNDLED,
    conversion: Conversion = NO_CONVERSION,
    output: Output = AS_TABLE,
) -> int:
    """Show a prompt's tokens by part, and what could go from it. Never changes the prompt.

    FILE is plain text or Markdown, a JSON request or list of messages in OpenAI's or Anthropic's
    form, or JSONL of several recorded requests: then text that differs between them is volatile.

    Args:
        file: the prompt; /dev/stdin is what is piped in.
        read_as: what the file is; auto goes by its name's ending, and takes others for text.
        rules: your own rules, a TOML file that goes over those in the package. Repeatable.
        volume: what calls are made with it.
        limits: when the exit code is 4.
        source: which prices are read.
        conversion: an exchange rate.
        output: how the answer is written.
    """
    prompt, size = _prompt(file, read_as)
    report = _report(prompt, size, _Reading(rules or [], volume, source))
    report = replace(report, rate=exchange_rate(conversion))
    on_terminal = output.output is None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if on_terminal else None
    write_bytes(prompt_report(report, output.format, output.locale, width=width), output.output)
    crossed = _crossed(report.analysis, limits, output.locale)
    sys.stderr.write("".join(f"{line}\n" for line in crossed))
    return LIMIT_CROSSED if crossed else 0


def _prompt(file: Path, read_as: ReadAs) -> tuple[PromptFile, int]:
    """The requests in a file and its size in bytes."""
    name = str(file)
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as wrong:
        raise BadInput(
            f"the prompt {file} cannot be read: {wrong.strerror}", remedy="Check the path."
        ) from wrong
    if len(content) > MOST_BYTES:
        raise BadInput(
            f"{name} has more than {MOST_BYTES:,} bytes", remedy="Give some of its requests."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise BadInput(
            f"{name} is not UTF-8: byte {wrong.start} is {content[wrong.start]:#04x}",
            remedy="Save it as UTF-8.",
        ) from wrong
    kind = _KINDS.get(file.suffix.lower(), "text") if read_as == "auto" else read_as
    return _READERS[kind](text, name), len(content)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a prompt is read with: rules, volume and prices."""

    rules: list[Path]
    volume: Volume
    source: Source


def _report(prompt: PromptFile, size: int, reading: _Reading) -> PromptReport:
    volume = reading.volume
    rules, facts = load_prompt_rules(reading.rules), load_model_facts()
    named = volume.model or prompt.requests[0].model
    book = load_book(reading.source.contract)
    entry = book.find(volume.provider, named) if named else None
    model = entry.model if entry else named
    vocabulary = facts.vocabulary(model) if named else None
    encoding = vocabulary.encoding if vocabulary else NO_ENCODING
    analysis = analysed(prompt, rules, partial(estimated_tokens, encoding=encoding))
    minimum = facts.minimum(entry.provider, entry.model) if entry else None
    terms = _terms(volume, book, named, minimum)
    return PromptReport(
        analysis,
        rules,
        Counting(encoding, vocabulary, has_vocabulary(encoding), size),
        model=f"{entry.provider}/{entry.model}" if entry else named,
        minimum=minimum,
        minimums=tuple(each for each in facts.minimums if each is not minimum),
        terms=terms,
        savings=savings(analysis, terms) if terms else None,
    )


def _terms(
    volume: Volume, book: PriceBook, named: str, minimum: CacheMinimum | None
) -> Terms | None:
    if volume.calls_per_month is None:
        if volume.cache_hits:
            raise WrongUsage("--cache-hits needs --calls-per-month")
        return None
    if not named:
        raise WrongUsage(
            "--calls-per-month needs a model, and the prompt names none",
            remedy="Name it with --model, such as --model openai/gpt-5.1.",
        )
    if volume.calls_per_month < 0:
        raise WrongUsage(f"--calls-per-month {volume.calls_per_month} is below 0")
    at = in_utc(volume.at) or utc_now()
    row = book.row_at(volume.provider, named, at)
    return Terms(row, at, volume.calls_per_month, minimum, _share(volume.cache_hits))


def _share(text: str) -> Fraction | None:
    """The share that `90%` or `0.9` states, or None for no text."""
    if not text:
        return None
    number = text.strip().removesuffix("%")
    try:
        share = Fraction(number.strip()) / (100 if number != text.strip() else 1)
    except (ValueError, ZeroDivisionError):
        share = Fraction(-1)
    if not 0 <= share <= 1 or "/" in text:
        raise WrongUsage(f"--cache-hits {text!r} is not a share", remedy="Write it like 90%.")
    return share


def _crossed(analysis: Analysis, limits: Limits, locale: Locale) -> list[str]:
    """One line for each limit that is crossed."""
    lines: list[str] = []
    findings = sum(finding.certain for finding in analysis.findings)
    for key, value, limit in (
        ("tokens", analysis.tokens, limits.fail_over_tokens),
        ("findings", findings, limits.fail_over_findings),
    ):
        if limit is not None and value > limit:
            lines.append(say(f"over_{key}", locale, **{key: f"{value:,}", "limit": f"{limit:,}"}))
    return lines
