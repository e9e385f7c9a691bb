"""The words of statements in English and Indonesian."""

import re
from collections.abc import Mapping
from fractions import Fraction
from string import Template
from typing import Final

from tokonomi.money import Locale, format_number, format_percent
from tokonomi.reports import plan_words
from tokonomi.reports.statement import Note
from tokonomi.storage.analytics import Period

_DECIMAL: Final = re.compile(r"\d+(?:\.\d+)?")
_ENGLISH: Final[Mapping[str, str]] = {
    "spend": "Spend",
    "total": "Total",
    "other": "Other ($groups more)",
    "not given": "(not given)",
    "always": "all time",
    "since": "from $since",
    "until": "before $until",
    "between": "from $since to before $until",
    "note.unpriced": "Without a price, and not in the cost: $calls of the calls; tokens: $tokens.",
    "note.absent": "Without known usage, and not in the cost: $calls of the calls.",
    "note.quarantined": "With impossible usage, and not in the cost: $calls of the calls.",
    "note.orphaned": "In flight when their process died: $calls of the calls.",
    "note.exposed": "May be billed beyond their cost, at most the exposure: $calls of the calls.",
    "note.estimated": "Counted by estimate, not by the provider: $calls of $of calls ($share).",
    "note.by_meter": "A call stands under each meter that it was charged for.",
    "note.converted": "1 $base = $rate $quote on $on ($source).",
    "left_out": "Left out on this narrow terminal: $columns. --format json has all.",
}

_INDONESIAN: Final[Mapping[str, str]] = {
    "spend": "Pengeluaran",
    "total": "Total",
    "other": "Lainnya ($groups lagi)",
    "not given": "(tidak disebut)",
    "always": "sepanjang waktu",
    "since": "sejak $since",
    "until": "sebelum $until",
    "between": "sejak $since sampai sebelum $until",
    "project": "proyek",
    "feature": "fitur",
    "user": "pengguna",
    "session": "sesi",
    "key": "kunci",
    "provider": "penyedia",
    "route": "rute",
    "source": "sumber",
    "month": "bulan",
    "day": "hari",
    "hour": "jam",
    "meter": "meteran",
    "calls": "panggilan",
    "input": "masukan",
    "cached": "dari cache",
    "output": "keluaran",
    "quantity": "jumlah",
    "cost": "biaya",
    "estimated": "perkiraan",
    "billed": "ditagih",
    "exposure": "risiko tagihan",
    "share": "porsi",
    "unpriced": "tanpa harga",
    "no usage": "tanpa data",
    "quarantined": "dikarantina",
    "tokens": "token",
    "units": "unit",
    "note.unpriced": "$calls panggilan dengan $tokens token tanpa harga, di luar biaya.",
    "note.absent": "$calls panggilan tanpa data pemakaian, di luar biaya.",
    "note.quarantined": "$calls panggilan melaporkan pemakaian yang mustahil, di luar biaya.",
    "note.orphaned": "$calls panggilan sedang berjalan ketika prosesnya mati.",
    "note.exposed": "$calls panggilan mungkin masih ditagih, paling banyak sebesar risiko tagihan.",
    "note.estimated": "$calls dari $of panggilan ($share) dihitung dengan perkiraan.",
    "note.by_meter": "Satu panggilan tercatat di setiap meteran yang ditagihkan kepadanya.",
    "note.converted": "1 $base = $rate $quote pada $on ($source).",
    "left_out": "Tidak muat di terminal sesempit ini: $columns. Pakai --format json untuk semua.",
}

_WORDS: Final[Mapping[Locale, Mapping[str, str]]] = {
    "en": {**_ENGLISH, **plan_words.ENGLISH},
    "id": {**_INDONESIAN, **plan_words.INDONESIAN},
}


def word(key: str, locale: Locale, **figures: str) -> str:
    """The text of a key in a language, with its figures; a word without a translation is itself.

    >>> word("other", "id", groups="12")
    'Lainnya (12 lagi)'
    """
    return Template(_WORDS[locale].get(key, key)).substitute(figures)


def named(text: str, locale: Locale) -> str:
    """A name in a table: one of ours in the language, any other as it stands.

    Names come from outside too, so nothing in them is filled in.

    >>> named("cost", "id"), named("$5 plan", "id"), named("other", "id")
    ('biaya', '$5 plan', 'other')
    """
    found = _WORDS[locale].get(text, text)
    return text if "$" in found else found


def note_text(note: Note, locale: Locale) -> str:
    """A note as one sentence, its counts written as people of the language write them."""
    figures = {
        name: format_number(figure, decimals=0, locale=locale)
        if isinstance(figure, int)
        else figure
        for name, figure in note.figures.items()
    }
    match note.figures:
        case {"calls": int(part), "of": int(whole)}:
            figures["share"] = format_percent(Fraction(part, whole), locale=locale)
        case {"rate": str(rate)}:
            figures["rate"] = stated_text(rate, locale)
        case _:
            pass
    return word(f"note.{note.code}", locale, **figures)


def stated_text(stated: str, locale: Locale) -> str:
    """A number as it was stated, or a range of numbers, grouped as the language does.

    >>> stated_text("1.0847", "id"), stated_text("15500..16000", "en"), stated_text("6.1e-5", "id")
    ('1,0847', '15,500..16,000', '6,1e-5')
    """
    plain = stated.replace("_", "")
    return _DECIMAL.sub(lambda found: decimal_text(found[0], locale), plain)


def decimal_text(decimal: str, locale: Locale) -> str:
    """A plain decimal string as people of the language write it, with all of its decimals.

    >>> decimal_text("16000", "id"), decimal_text("15750.5", "en")
    ('16.000', '15,750.5')
    """
    decimals = len(decimal.partition(".")[2])
    return format_number(Fraction(decimal), decimals=decimals, locale=locale)


def period_text(period: Period, locale: Locale) -> str:
    """A period as a reader sees it, in UTC, to the minute; whole days as dates."""
    since, until = period.since, period.until
    times = [at for at in (since, until) if at is not None]
    whole_days = all((at.hour, at.minute, at.second) == (0, 0, 0) for at in times)
    pattern = "%Y-%m-%d" if whole_days else "%Y-%m-%d %H:%M UTC"
    bounds = {
        name: at.strftime(pattern)
        for name, at in (("since", since), ("until", until))
        if at is not None
    }
    key = "between" if len(bounds) > 1 else next(iter(bounds), "always")
    return word(key, locale, **bounds)
