"""A prompt's analysis as one JSON object for machines."""

from typing import Any, Final

from tokonomi.money import ExchangeRate, Money
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import PriceRow
from tokonomi.prompts.finding import Finding, Kind
from tokonomi.prompts.model_facts import CacheMinimum
from tokonomi.prompts.place import Place
from tokonomi.prompts.savings import mended_prefix
from tokonomi.reports.prompt_report import PromptReport, reasons
from tokonomi.reports.statement import exact_decimal

VERSION: Final = 1


def prompt_object(report: PromptReport) -> dict[str, Any]:
    """The analysis with every figure; see `docs/reference/prompts.md` for the keys."""
    analysis, counting = report.analysis, report.counting
    bounds = counting.bounds(analysis.tokens)
    savings = report.savings
    each = savings.each if savings else (None,) * len(analysis.findings)
    return {
        "version": VERSION,
        "file": analysis.name,
        "requests": analysis.requests,
        "left_out": analysis.left_out,
        "uncounted": analysis.uncounted,
        "model": report.model or None,
        "tokens": analysis.tokens,
        "saved_tokens": analysis.saved_tokens,
        "parts": {part.value: tokens for part, tokens in analysis.parts.items()},
        "count": {
            "encoding": counting.encoding if counting.loaded else None,
            "exact": counting.exact,
            "least": bounds[0] if bounds else None,
            "most": bounds[1] if bounds else None,
            "source": counting.vocabulary.source if counting.vocabulary else None,
        },
        "prefix": {
            "tokens": analysis.prefix_tokens,
            "mended_tokens": mended_prefix(analysis),
            "marked": analysis.marked,
        },
        "caches": [_cache_object(minimum, report) for minimum in report.caches],
        "findings": [
            _finding_object(finding, saving, report)
            for finding, saving in zip(analysis.findings, each, strict=True)
        ],
        "month": _month_object(report),
    }


def _cache_object(minimum: CacheMinimum, report: PromptReport) -> dict[str, Any]:
    return {
        "models": minimum.label,
        "asked": minimum is report.minimum,
        "minimum": minimum.tokens,
        "step": minimum.step,
        "marking": minimum.marking,
        "state": report.state_of(minimum, report.analysis.prefix_tokens),
        "mended_state": report.state_of(minimum, mended_prefix(report.analysis)),
        "source": minimum.source,
        "read_on": minimum.read_on.isoformat(),
    }


def _finding_object(
    finding: Finding, saving: Money | Unpriced | None, report: PromptReport
) -> dict[str, Any]:
    why = dict(reasons(report, "en"))[finding.rule]
    return {
        "kind": finding.kind.value,
        "rule": finding.rule,
        "certain": finding.certain,
        "part": finding.part.value,
        "text": _encodable(finding.text),
        "place": _place_object(finding.place),
        "tokens": finding.tokens,
        "saved_tokens": finding.saved_tokens,
        "saving": _amount_object(saving, report.rate),
        "repeats": _place_object(finding.repeats) if finding.repeats else None,
        "similarity_percent": finding.similarity_percent or None,
        "differing": finding.differing or None,
        "instead": _encodable(finding.instead) or None,
        "behind_tokens": finding.behind_tokens if finding.kind is Kind.VOLATILE else None,
        "why": why,
    }


def _place_object(place: Place) -> dict[str, Any]:
    return {
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
        "start": place.start,
        "end": place.end,
        "path": place.path or None,
        "request": place.request,
    }


def _month_object(report: PromptReport) -> dict[str, Any] | None:
    terms, savings = report.terms, report.savings
    if terms is None or savings is None:
        return None
    row = terms.row if isinstance(terms.row, PriceRow) else None
    return {
        "calls": terms.calls,
        "cache_hits": exact_decimal(terms.hits) if terms.hits is not None else None,
        "cost": _amount_object(savings.cost, report.rate),
        "saving": _amount_object(savings.total, report.rate),
        "cache": _amount_object(savings.cache, report.rate),
        "price_row": row.id if row else None,
        "price_source": row.source if row else None,
    }


def _amount_object(
    amount: Money | Unpriced | None, rate: ExchangeRate | None
) -> dict[str, str] | None:
    match amount:
        case None:
            return None
        case Unpriced(reason=reason):
            return {"unpriced": reason}
        case Money() if rate is not None:
            return {"amount": exact_decimal(rate.convert_exactly(amount)), "currency": rate.quote}
        case Money():
            return {"amount": amount.decimal(), "currency": amount.currency}


def _encodable(text: str) -> str:
    """The text with what has no UTF-8 form, a lone surrogate, replaced."""
    return text.encode("utf-8", "replace").decode()
