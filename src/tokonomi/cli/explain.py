"""`tokonomi explain`: one call, opened to the last digit."""

import sys

from tokonomi.cli.store_options import DEFAULT_STORE, Place
from tokonomi.reports.explain import explanation, opened_calls
from tokonomi.storage.price_files import book_in_force


def explain(call_id: str, *, place: Place = DEFAULT_STORE) -> None:
    """Open the cost of one call: quantity x rate line by line, the price row and its source.

    Args:
        call_id: id of a call, or of a request to see all its attempts.
        place: which store.
    """
    location = place.location
    found = opened_calls(location, call_id, book_in_force(location))
    sys.stdout.write("\n".join(explanation(each) for each in found))
