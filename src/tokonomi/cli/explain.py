"""`tokonomi explain`: one call, opened to the last digit."""

import sys
from pathlib import Path

from tokonomi.reports.explain import explanation, opened_calls
from tokonomi.storage.location import locate
from tokonomi.storage.price_files import load_book


def explain(call_id: str, *, store: Path | None = None, data: Path | None = None) -> None:
    """Open the cost of one call: quantity x rate line by line, the price row and its source.

    Args:
        call_id: id of a call, or of a request to see all its attempts.
        store: path of the store.
        data: folder of the store and its lake.
    """
    location = locate(store, data=data)
    found = opened_calls(location, call_id, load_book(location.contract))
    sys.stdout.write("\n".join(explanation(each) for each in found))
