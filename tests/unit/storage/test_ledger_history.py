"""`ledger explain`: every hold is seen, and how it was resolved."""

from datetime import UTC, datetime

import pytest
from ledger_calls import Calls

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.credits.grant import Grant
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage.call_groups import Settle, write_group
from tokonomi.storage.database import Database
from tokonomi.storage.exposures import release_exposure
from tokonomi.storage.ledger import Funding
from tokonomi.storage.ledger_history import opened
from tokonomi.storage.orphans import sweep
from tokonomi.storage.wallet_store import promote
from tokonomi.usage import Source, Usage

AT = datetime(2026, 11, 1, tzinfo=UTC)
BUDGET = Funding("a budget", "USD", limit=100)


def moved(database: Database, call: str) -> list[tuple[str, str, int]]:
    return [(each.kind, each.sink, each.amount) for each in opened(database, call).moved]


@pytest.mark.parametrize(
    ("used", "rest", "resolution"),
    [
        (0, [], "was void"),
        (50, [("capture", "spent", 50)], "was captured"),
        (120, [("capture", "spent", 100), ("overrun", "overrun", 20)], "was captured"),
    ],
)
def test_a_call_that_has_ended_says_what_it_held_and_how_that_was_resolved(
    database: Database,
    calls: Calls,
    used: int,
    rest: list[tuple[str, str, int]],
    resolution: str,
) -> None:
    call = calls.begin(BUDGET, 70)
    assert call is not None
    assert moved(database, call) == [("hold", "", 70)]
    calls.end(call, used)
    assert moved(database, call) == [("held", "", 70), *rest]
    assert opened(database, call).calls == {call: f"ok, its hold {resolution}"}


def test_a_hold_of_a_dead_gateway_has_expired_on_a_wallet(database: Database, calls: Calls) -> None:
    gift = Grant(
        id="promotion/1", wallet="default:user:ani", amount=90, granted_at=AT, promotional=True
    )
    promote(database, gift)
    call = calls.begin("default:user:ani", 70)
    assert call is not None
    sweep(database, now=AT)
    assert moved(database, call) == [("held", "", 70)]
    assert opened(database, call).calls == {call: "orphaned, its hold expired"}


def test_a_hold_of_a_dead_gateway_is_exposed_on_a_budget_until_it_is_released(
    database: Database, calls: Calls
) -> None:
    call = calls.begin(BUDGET, 70)
    assert call is not None
    sweep(database, now=AT)
    assert moved(database, call) == [("held", "", 70), ("expose", "exposed", 70)]
    assert opened(database, call).calls == {
        call: "orphaned, its hold is exposed, since it may be billed"
    }
    release_exposure(database, call, reason="not on the bill of 2026-11", now=AT)
    assert moved(database, call)[2:] == [("release", "exposed", 70)]
    found = opened(database, call)
    assert found.calls == {call: "orphaned, its hold is exposed, and was released since"}
    assert found.moved[2].note == "not on the bill of 2026-11"


def test_a_call_that_held_nothing_has_no_hold_to_resolve(database: Database, calls: Calls) -> None:
    intent = Intent(id="free.1", at=AT, dimensions=Dimensions(), model="m")
    ended = Call(
        intent=intent,
        model_served="m",
        usage=Usage(at=AT, source=Source.ABSENT),
        cost=Unpriced("no price"),
        status=Status.FAILED,
    )
    write_group(database, calls.worker, [Settle(ended)], at_us=1)
    assert opened(database, "free.1").calls == {"free.1": "failed"}
    assert moved(database, "free.1") == []
