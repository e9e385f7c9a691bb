"""Laws of the lake: whatever is exported, compacted, pruned and swept, each call counts once."""

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.pricing.charge import Charge, ChargeLine, Unpriced
from tokonomi.pricing.row import Meter
from tokonomi.storage.analytics import exact_sum, fetch, open_calls
from tokonomi.storage.call_rows import INSERT, row_of
from tokonomi.storage.compaction import compact
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import export
from tokonomi.storage.location import Location
from tokonomi.storage.retention import prune, sweep
from tokonomi.usage import Usage

NewLocation = Callable[[], Location]

START = datetime(2026, 1, 30, 23, 30, tzinfo=UTC)
LATER_US = 2**52

Step = tuple[Literal["settle", "export", "compact", "prune"], int]

amounts = st.none() | st.integers(0, 2**63 - 1)
tags = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)
steps = st.lists(
    st.tuples(
        st.sampled_from(["settle", "settle", "export", "compact", "prune"]), st.integers(1, 5)
    ),
    max_size=6,
)


def settled(number: int, amount: int | None, named: dict[str, str]) -> Call:
    at = START + timedelta(minutes=number * 7 % 90)
    cost = (
        Unpriced("no price")
        if amount is None
        else Charge("row", "USD", amount, (ChargeLine(Meter.REQUEST, 1, amount, amount),))
    )
    return Call(
        intent=Intent(
            id=f"{number}.1",
            at=at,
            dimensions=Dimensions(provider="p", tags=tuple(sorted(named.items()))),
            model="m",
        ),
        model_served="m",
        usage=Usage(at=at, uncached_input=number),
        cost=cost,
        status=Status.OK,
    )


@contextmanager
def fresh_store(new_location: NewLocation) -> Generator[tuple[Location, Database]]:
    location = new_location()
    with closing(open_store(location.address)) as database:
        yield location, database


def seen(location: Location) -> list[dict[str, Any]]:
    with open_calls(location, ["id", "at", "amount", "tags", "lines"]) as calls:
        return sorted(fetch(calls.table.drop("seq")), key=itemgetter("id"))


def row_seen(call: Call) -> dict[str, Any]:
    lines = call.cost.lines if isinstance(call.cost, Charge) else ()
    return {
        "id": call.intent.id,
        "at": call.intent.at,
        "amount": call.cost.sub_units if isinstance(call.cost, Charge) else None,
        "tags": list(call.intent.dimensions.tags),
        "lines": [
            {
                "meter": each.meter,
                "quantity": each.quantity,
                "rate": each.rate,
                "amount": each.amount,
            }
            for each in lines
        ],
    }


@settings(max_examples=15, deadline=None)
@given(taken=steps, data=st.data())
def test_every_settled_call_is_seen_exactly_once_after_every_step(
    new_location: NewLocation, taken: list[Step], data: st.DataObject
) -> None:
    calls: list[Call] = []
    with fresh_store(new_location) as (location, database):
        for step, size in taken:
            match step:
                case "settle":
                    new = [
                        settled(len(calls) + n, data.draw(amounts), data.draw(tags))
                        for n in range(size)
                    ]
                    with database.transaction():
                        database.executemany(INSERT, [row_of(call) for call in new])
                    calls += new
                case "export":
                    export(database, location.lake, chunk_rows=size)
                case "compact":
                    compact(database, location.lake, now_us=0)
                case "prune":
                    prune(database, before_us=LATER_US, chunk_rows=size)
                    sweep(database, location.lake, now_us=LATER_US)
            assert seen(location) == sorted(map(row_seen, calls), key=itemgetter("id"))


@settings(max_examples=5, deadline=None)
@given(amounts=st.lists(st.integers(2**62, 2**63 - 1), min_size=3, max_size=8))
def test_a_sum_of_amounts_that_leaves_64_bits_is_exact(
    new_location: NewLocation, amounts: list[int]
) -> None:
    with fresh_store(new_location) as (location, database):
        calls = [settled(number, amount, {}) for number, amount in enumerate(amounts)]
        with database.transaction():
            database.executemany(INSERT, [row_of(call) for call in calls[::2]])
        export(database, location.lake)
        with database.transaction():
            database.executemany(INSERT, [row_of(call) for call in calls[1::2]])
        with open_calls(location, ["amount"]) as view:
            totals = fetch(view.table.aggregate(total=exact_sum(view.table["amount"])))
    assert totals == [{"total": sum(amounts)}]
