"""The forms of a statement: table, Markdown, HTML for people; JSON, CSV, Parquet for machines."""

from typing import Final, Literal, get_args

from tokonomi.money import Locale
from tokonomi.reports.forms.html import as_html
from tokonomi.reports.forms.machine import as_csv, as_json, as_parquet
from tokonomi.reports.forms.markdown import as_markdown
from tokonomi.reports.forms.table import as_table
from tokonomi.reports.statement import Statement

Form = Literal["table", "markdown", "html", "json", "csv", "parquet"]

FORMS: Final[tuple[Form, ...]] = get_args(Form)
FOR_PEOPLE: Final[frozenset[Form]] = frozenset({"table", "markdown", "html"})


def rendered(
    statement: Statement, form: Form, locale: Locale = "en", *, width: int | None = None
) -> bytes:
    """The statement in a form, as the bytes of a file; `width` bounds a table alone."""
    match form:
        case "table":
            return as_table(statement, locale, width=width).encode()
        case "markdown":
            return as_markdown(statement, locale).encode()
        case "html":
            return as_html(statement, locale).encode()
        case "json":
            return as_json(statement).encode()
        case "csv":
            return as_csv(statement).encode()
        case "parquet":
            return as_parquet(statement)
