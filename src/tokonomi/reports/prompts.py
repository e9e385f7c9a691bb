"""A prompt's analysis in its forms: tables for people, and JSON for machines."""

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Final, Literal

from tokonomi.money import Locale, Money, format_amount, format_number, format_percent
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import PriceRow
from tokonomi.prompts.analyse import MANY_EXAMPLES
from tokonomi.prompts.finding import Finding, Kind
from tokonomi.prompts.model_facts import CacheMinimum
from tokonomi.prompts.place import Place
from tokonomi.prompts.request import Part
from tokonomi.prompts.savings import Savings, Terms, is_unmarked, mended_prefix
from tokonomi.reports.prompt_object import prompt_object
from tokonomi.reports.prompt_report import PromptReport, reasons
from tokonomi.reports.prompt_words import say
from tokonomi.reports.statement import exact_decimal
from tokonomi.reports.tables import Heading, Table, tabulated
from tokonomi.reports.words import decimal_text

PromptForm = Literal["table", "json", "markdown"]
EXCERPT: Final = 48


def prompt_report(
    report: PromptReport, form: PromptForm, locale: Locale = "en", *, width: int | None = None
) -> bytes:
    """The analysis in a form, as the bytes of a file; `width` bounds a terminal's tables alone."""
    if form == "json":
        content = json.dumps(prompt_object(report), sort_keys=True, indent=2, ensure_ascii=False)
        return f"{content}\n".encode()
    tables = _Tables(report, locale, form).every()
    return b"\n".join(tabulated(table, form, width=width) for table in tables)


class _Tables:
    """Says an analysis in a language, in three tables and the notes below them."""

    def __init__(self, report: PromptReport, locale: Locale, form: PromptForm) -> None:
        self._report = report
        self._analysis = report.analysis
        self._locale: Locale = locale
        self._form = form

    def every(self) -> list[Table]:
        """The tables in the order in which they are to be read; the last one has the notes."""
        tables = [self._parts()]
        if self._analysis.findings:
            tables.append(self._findings())
        if self._report.caches:
            tables.append(self._caches())
        # On a terminal an empty line parts the notes from the last table.
        gap = [""] if self._form == "table" else []
        return [*tables[:-1], replace(tables[-1], notes=(*gap, *self._notes()))]

    def _say(self, key: str, **figures: str) -> str:
        return say(key, self._locale, **figures)

    def _number(self, count: int) -> str:
        return format_number(count, decimals=0, locale=self._locale)

    def _percent(self, part: int, whole: int) -> str:
        return format_percent(Fraction(part, whole), locale=self._locale) if whole else ""

    def _heading(self, key: str, *, numeric: bool = False, **figures: str) -> Heading:
        return Heading(self._say(key, **figures), numeric=numeric)

    def _parts(self) -> Table:
        whole = self._analysis.tokens
        rows = [
            (self._say(part.value), self._number(tokens), self._percent(tokens, whole))
            for part, tokens in self._analysis.parts.items()
            if tokens
        ]
        rows.append((self._say("total"), self._number(whole), self._percent(whole, whole)))
        headings = (
            self._heading("part"),
            self._heading("tokens", numeric=True),
            self._heading("share", numeric=True),
        )
        title = self._say("title", name=_printable(self._analysis.name), tokens=self._number(whole))
        return Table(title, headings, tuple(rows))

    def _findings(self) -> Table:
        savings = self._report.savings
        each = savings.each if savings else (None,) * len(self._analysis.findings)
        headings = [
            self._heading("place"),
            self._heading("finding"),
            self._heading("saves", numeric=True),
            *([self._heading("a_month", numeric=True)] if savings else []),
            self._heading("text"),
            self._heading("because"),
        ]
        rows = tuple(
            (
                _spot(finding.place),
                self._say(_word_of(finding)),
                self._number(finding.saved_tokens),
                *([self._amount(saving)] if savings else []),
                self._excerpt(finding.text),
                self._because(finding),
            )
            for finding, saving in zip(self._analysis.findings, each, strict=True)
        )
        return Table(self._say("findings"), tuple(headings), rows)

    def _because(self, finding: Finding) -> str:
        match finding.kind:
            case Kind.DEFAULT:
                return finding.rule
            case Kind.REPEATED if finding.repeats is not None:
                alike = Fraction(finding.similarity_percent, 100)
                percent = format_percent(alike, decimals=0, locale=self._locale)
                return self._say("because.repeats", place=_spot(finding.repeats), percent=percent)
            case Kind.EXAMPLE if finding.rule == MANY_EXAMPLES:
                over = self._number(finding.saved_tokens)
                limit = self._number(self._report.rules.limits.examples_tokens)
                return self._say("because.together", over=over, limit=limit)
            case Kind.EXAMPLE:
                over = self._number(finding.saved_tokens)
                limit = self._number(self._report.rules.limits.example_tokens)
                return self._say("because.limit", over=over, limit=limit)
            case _:
                return self._because_volatile(finding)

    def _because_volatile(self, finding: Finding) -> str:
        tokens = self._number(finding.behind_tokens)
        if not finding.differing:
            return f"{finding.rule}: {self._say('because.behind', tokens=tokens)}"
        count, others = self._number(finding.differing), self._number(self._analysis.requests - 1)
        return self._say("because.differs", count=count, others=others, tokens=tokens)

    def _caches(self) -> Table:
        now, mended = self._analysis.prefix_tokens, mended_prefix(self._analysis)
        headings = (
            self._heading("models"),
            self._heading("minimum", numeric=True),
            self._heading("prefix_now", tokens=self._number(now)),
            self._heading("prefix_mended", tokens=self._number(mended)),
            self._heading("marking"),
        )
        rows = tuple(
            (
                minimum.label,
                self._number(minimum.tokens),
                self._state(minimum, now),
                self._state(minimum, mended),
                self._say(minimum.marking),
            )
            for minimum in self._report.caches
        )
        return Table(self._say("cache"), headings, rows)

    def _state(self, minimum: CacheMinimum, tokens: int) -> str:
        short = self._number(max(minimum.tokens - tokens, 0))
        return self._say(self._report.state_of(minimum, tokens), short=short)

    def _amount(self, amount: Money | Unpriced | None) -> str:
        match amount:
            case None:
                return ""
            case Unpriced():
                return self._say("unpriced")
            case Money() if self._report.rate is not None:
                exact = self._report.rate.convert_exactly(amount)
                return format_amount(exact, self._report.rate.quote, self._locale)
            case Money():
                return amount.format(self._locale)

    def _excerpt(self, text: str) -> str:
        plain = _printable(" ".join(text.split()))
        short = plain if len(plain) <= EXCERPT else f"{plain[: EXCERPT - 1]}\u2026"
        return f"`{short.replace('`', chr(39))}`" if self._form == "markdown" else short

    def _notes(self) -> Iterator[str]:
        if not self._analysis.findings:
            yield self._say("no_findings")
        yield from self._money_notes()
        yield from self._minimum_notes()
        yield from self._count_notes()
        for rule, why in reasons(self._report, self._locale):
            yield self._say("why", rule=rule, why=why)
        if self._analysis.findings:
            yield self._say("judge")

    def _minimum_notes(self) -> Iterator[str]:
        minimum, model = self._report.minimum, _printable(self._report.model)
        if not model:
            return
        if minimum is None:
            yield self._say("minimum_unknown", model=model)
        else:
            told = {"source": minimum.source, "day": minimum.read_on.isoformat()}
            yield self._say("minimum_source", model=model, **told)
        if self._report.minimums:
            yield self._say("minimum_others")

    def _money_notes(self) -> Iterator[str]:
        analysis, savings, terms = self._analysis, self._report.savings, self._report.terms
        figures = {
            "saved": self._number(analysis.saved_tokens),
            "tokens": self._number(analysis.tokens),
            "share": self._percent(analysis.saved_tokens, analysis.tokens),
        }
        if savings is None or terms is None:
            if analysis.findings:
                yield self._say("saved", **figures)
            return
        if isinstance(savings.cost, Unpriced):
            yield self._say("saved", **figures)
            yield self._say("no_price", reason=savings.cost.reason)
            return
        total = savings.total or Money(0, savings.cost.currency)
        amounts = {"saving": self._amount(total), "cost": self._amount(savings.cost)}
        yield self._say("saved.money", **figures, **amounts)
        yield from self._cache_notes(savings, terms)
        yield from self._assumptions(terms)

    def _cache_notes(self, savings: Savings, terms: Terms) -> Iterator[str]:
        now, mended = self._analysis.prefix_tokens, mended_prefix(self._analysis)
        match savings.cache:
            case Unpriced(reason=reason):
                yield self._say("cache.unknown", reason=reason)
            case Money(sub_units=above) if above:
                key = "cache.unmarked" if is_unmarked(self._analysis, terms) else "cache.more"
                yield self._say(key, prefix=self._number(now), saving=self._amount(savings.cache))
            case _:
                pass
        if terms.minimum is not None and mended < terms.minimum.tokens <= now:
            minimum = self._number(terms.minimum.tokens)
            yield self._say("cache.lost", prefix=self._number(mended), minimum=minimum)

    def _assumptions(self, terms: Terms) -> Iterator[str]:
        calls = self._number(terms.calls)
        if terms.hits is None:
            yield self._say("assumed.none", calls=calls)
        else:
            hits = format_percent(terms.hits, locale=self._locale)
            unmarked = is_unmarked(self._analysis, terms)
            key = "assumed.unmarked" if unmarked else "assumed.hits"
            yield self._say(key, calls=calls, hits=hits)
        yield self._say("order")
        if isinstance(terms.row, PriceRow):
            yield self._say("price", row=terms.row.id, source=terms.row.source)
        if rate := self._report.rate:
            quoted = decimal_text(exact_decimal(rate.rate), self._locale)
            figures = {"base": rate.base, "rate": quoted, "quote": rate.quote}
            yield self._say("converted", **figures, on=rate.on.isoformat(), source=rate.source)

    def _count_notes(self) -> Iterator[str]:
        analysis = self._analysis
        yield self._counted()
        if analysis.parts.get(Part.TOOLS):
            yield self._say("count.tools")
        if analysis.requests > 1:
            yield self._say("requests", requests=self._number(analysis.requests))
        if analysis.left_out:
            yield self._say("left_out", requests=self._number(analysis.left_out))
        if analysis.uncounted:
            yield self._say("uncounted", blocks=self._number(analysis.uncounted))

    def _counted(self) -> str:
        counting, model = self._report.counting, _printable(self._report.model)
        known = {"encoding": counting.encoding, "model": model}
        if not counting.loaded:
            return self._say("count.bytes")
        if not model:
            return self._say("count.no_model", encoding=counting.encoding)
        if counting.exact:
            return self._say("count.exact", **known)
        vocabulary = counting.vocabulary
        if vocabulary is None or vocabulary.more_percent is None:
            size = self._number(counting.utf8_bytes)
            return self._say("count.unknown", **known, bytes=size)
        least, most = (str(percent) for percent in vocabulary.more_percent)
        told = {"least": least, "most": most, "source": vocabulary.source}
        return self._say("count.estimated", **known, **told)


def _spot(place: Place) -> str:
    return f"{place} {place.path}" if place.path else str(place)


def _word_of(finding: Finding) -> str:
    if finding.kind is Kind.VOLATILE and not finding.certain:
        return "maybe_volatile"
    if finding.rule == MANY_EXAMPLES:
        return "many_examples"
    return finding.kind.value


def _printable(text: str) -> str:
    """The text without what a terminal would act on, and without lone surrogates."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
