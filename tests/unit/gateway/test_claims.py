"""What a request claims of budgets and wallets, and what is captured when it has ended."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo, available_timezones

import pytest
from msgspec import structs

from tokonomi.budgets.hold_size import Refused
from tokonomi.budgets.table import budget_from_table
from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.credits.wallet import WalletRule
from tokonomi.credits.weights import Weights
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.allowance import Allowance
from tokonomi.gateway.claims import BudgetInForce, Rules, WalletInForce, allowance
from tokonomi.gateway.request import parse
from tokonomi.gateway.settle import Exchange
from tokonomi.ledger.hold import Held, Part
from tokonomi.money import Money
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.providers.adapter import Dialect
from tokonomi.providers.registry import adapter_for
from tokonomi.routing import alias as routing
from tokonomi.routing.provider import Provider
from tokonomi.storage.ledger import Funding
from tokonomi.storage.price_files import load_book
from tokonomi.usage import Quarantined, Source, Usage

PROVIDER = Provider(base_url="http://127.0.0.1:9/v1")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return load_book()


def exchange(model: str = "gpt-4o-mini", at: datetime = NOW, **body: object) -> Exchange:
    fields = {"model": model, "messages": [{"role": "user", "content": "hi"}], **body}
    intent = Intent(
        id="r.1",
        at=at,
        dimensions=Dimensions(project="acme/growth", user="ani"),
        model=model,
        input_bound=1_000,
    )
    target = Target("openai", PROVIDER, model, model, terms=routing.Target(provider="openai"))
    reading = adapter_for(Dialect.OPENAI_CHAT, "openai").stream()
    return Exchange(intent, target, parse(json.dumps(fields).encode()), reading)


def budget(**stated: object) -> BudgetInForce:
    table = {"id": "b", "window": "day", "currency": "USD", "amount": "1", **stated}
    found = budget_from_table(table, zones=available_timezones())
    return BudgetInForce(found, ZoneInfo(found.zone))


def claimed(rules: Rules, made: Exchange, book: PriceBook) -> Allowance:
    found = allowance(rules, made, book)
    assert isinstance(found, Allowance), found
    return found


def test_a_budget_claims_the_dearest_price_of_every_token(book: PriceBook) -> None:
    [claim] = claimed(Rules(budgets=[budget()]), exchange(max_tokens=100, n=2), book).claims
    # 1,000 input tokens at 0.15 and 2 x 100 output tokens at 0.60 USD a million.
    assert claim.amount == 1_000 * 150_000 + 200 * 600_000
    assert claim.on == Funding("budget:b:all:2026-11-22T00:00:00Z", "USD", 10**12, 0)


def test_a_budget_of_each_user_has_an_account_for_each_project(book: PriceBook) -> None:
    for stated, subject in (
        ({"each": ["user"]}, "project=acme/growth,user=ani"),
        ({"scope": {"user": "ani"}}, "project=acme/growth"),
        ({"each": ["user"], "across_projects": True}, "user=ani"),
        ({"each": ["organisation", "user"]}, "organisation=acme,user=ani"),
    ):
        [claim] = claimed(Rules(budgets=[budget(**stated)]), exchange(max_tokens=1), book).claims
        assert isinstance(claim.on, Funding)
        assert claim.on.name == f"budget:b:{subject}:2026-11-22T00:00:00Z"


def test_a_window_that_ended_is_left_behind(book: PriceBook) -> None:
    rules = Rules(budgets=[budget()])
    first = claimed(rules, exchange(max_tokens=1), book)
    later = claimed(rules, exchange(max_tokens=1, at=NOW + timedelta(days=1)), book)
    assert [
        it.on.name for it in (first.claims[0], later.claims[0]) if not isinstance(it.on, str)
    ] == [
        "budget:b:all:2026-11-22T00:00:00Z",
        "budget:b:all:2026-11-23T00:00:00Z",
    ]


@pytest.mark.parametrize(
    ("scope", "binds"),
    [({"organisation": "acme"}, 1), ({"organisation": "other"}, 0), ({"user": "ani"}, 1)],
)
def test_a_budget_binds_only_what_its_scope_names(
    book: PriceBook, scope: dict[str, str], binds: int
) -> None:
    rules = Rules(budgets=[budget(scope=scope)])
    assert len(claimed(rules, exchange(max_tokens=1), book).claims) == binds


def test_an_unknown_price_is_refused_under_a_hard_budget(book: PriceBook) -> None:
    refused = allowance(Rules(budgets=[budget()]), exchange("gpt-99", max_tokens=1), book)
    assert isinstance(refused, Refused)
    assert refused.code == "price_unknown"


def test_an_unlimited_answer_is_bounded_by_the_context_window_or_the_cap(book: PriceBook) -> None:
    free_running = claimed(Rules(budgets=[budget(amount="1000")]), exchange(), book)
    capped = claimed(Rules(budgets=[budget()], output_cap=50), exchange(), book)
    assert free_running.send_max_tokens is None
    assert free_running.claims[0].amount >= 16_000 * 600_000
    assert (capped.send_max_tokens, capped.claims[0].amount) == (50, 1_000 * 150_000 + 50 * 600_000)


def test_a_wallet_claims_a_milli_credit_a_token(book: PriceBook) -> None:
    rules = Rules(wallets=[WalletInForce(WalletRule(per="user"), Weights())])
    [claim] = claimed(rules, exchange(max_tokens=100), book).claims
    assert (claim.source, claim.on, claim.amount) == (
        "wallet acme/growth:user:ani",
        "acme/growth:user:ani",
        1_100,
    )


def test_a_request_that_names_nobody_to_pay_is_refused(book: PriceBook) -> None:
    rules = Rules(wallets=[WalletInForce(WalletRule(per="tag:document"), Weights())])
    refused = allowance(rules, exchange(max_tokens=1), book)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.remedy) == ("wallet_missing", "Send the header x-tokonomi-tags.")


def test_what_only_counts_lets_a_request_pass_that_has_no_bound(book: PriceBook) -> None:
    for odd in ({"preset": "mine"}, {"n": "8"}, {"max_tokens": 2**31 - 1, "n": 2**31 - 1}):
        [claim] = claimed(
            Rules(budgets=[budget(mode="notify")]), exchange("gpt-4o-mini", NOW, **odd), book
        ).claims
        assert claim.amount == 0


def test_every_model_that_a_request_may_end_at_is_held_for(book: PriceBook) -> None:
    rules = Rules(budgets=[budget()], wallets=[WalletInForce(WalletRule(per="user"), Weights())])
    money, credit = claimed(rules, exchange(max_tokens=100, models=["gpt-4o"]), book).claims
    # gpt-4o is the dearer one: 2.50 and 10 USD a million.
    assert (money.amount, credit.amount) == (1_000 * 2_500_000 + 100 * 10_000_000, 1_100)


@pytest.mark.parametrize("scope", [{"only": {"model": "gpt-4o"}}, {"each": ["model"]}])
def test_a_budget_that_counts_models_apart_takes_no_request_that_may_end_at_either(
    book: PriceBook, scope: dict[str, object]
) -> None:
    stated = {"scope": scope["only"]} if "only" in scope else scope
    made = exchange(max_tokens=1, models=["gpt-4o"])
    refused = allowance(Rules(budgets=[budget(**stated)]), made, book)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.param) == ("price_unknown", "models")
    alone = exchange(max_tokens=1, models=["gpt-4o-mini"])
    allowed = allowance(Rules(budgets=[budget(**stated)]), alone, book)
    assert isinstance(allowed, Allowance)


FREE = "agentica-org/deepcoder-14b-preview:free"


def free(**body: object) -> Exchange:
    made = exchange(FREE, NOW, **body)
    return structs.replace(made, target=replace(made.target, name="openrouter"))


def test_endless_tokens_are_no_money_where_they_are_free_but_use_credits(
    book: PriceBook,
) -> None:
    spent = Rules(budgets=[budget(amount="0")])
    assert claimed(spent, free(), book).claims[0].amount == 0
    wallet = Rules(wallets=[WalletInForce(WalletRule(per="user"), Weights())])
    refused = allowance(wallet, free(), book)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.remedy) == (
        "price_unknown",
        "Add a price for the model, or send max_tokens.",
    )


def test_a_free_model_does_not_make_a_fee_free_or_a_field_known(book: PriceBook) -> None:
    for odd in ({"plugins": [{"id": "web"}]}, {"preset": "mine"}, {"n": 0}):
        refused = allowance(Rules(budgets=[budget()]), free(**odd), book)
        assert isinstance(refused, Refused)


def test_credits_that_no_wallet_can_hold_are_refused_with_the_number(book: PriceBook) -> None:
    dear = Weights(stated={"output": Fraction(1_000)})
    rules = Rules(wallets=[WalletInForce(WalletRule(per="user"), dear)])
    made = exchange(max_tokens=2**31 - 1, n=2**31 - 1)
    refused = allowance(rules, made, book)
    assert isinstance(refused, Refused)
    assert refused.code == "request_too_dear"
    assert "4611686014132420610000" in refused.what


def ended(
    status: Status, usage: Usage | Quarantined, cost: Charge | Unpriced, *, beyond: int = 0
) -> Call:
    return Call(
        intent=Intent(id="r.1", at=NOW, dimensions=Dimensions(), model="m"),
        model_served="m",
        usage=usage,
        cost=cost,
        status=status,
        exposure=Money(beyond, "USD") if beyond else None,
    )


USED = Usage(at=NOW, uncached_input=20, output=8)
GUESSED = Usage(at=NOW, uncached_input=20, output=8, source=Source.ESTIMATED)
ABSENT = Usage(at=NOW, requests=0, source=Source.ABSENT)
COST = Charge("row", "USD", 700, ())


@pytest.mark.parametrize(
    ("call", "of_budget", "exposed", "of_wallet"),
    [
        (ended(Status.OK, USED, COST), 700, 0, 28),
        (ended(Status.DISCONNECTED, GUESSED, COST), 700, 0, 28),
        (ended(Status.CUT, GUESSED, COST), 700, 0, 0),
        (ended(Status.CUT, GUESSED, COST, beyond=200), 700, 200, 0),
        (ended(Status.CUT, GUESSED, COST, beyond=5_000), 700, 300, 0),
        (ended(Status.FAILED, ABSENT, Unpriced("refused")), 0, 0, 0),
        (ended(Status.FAILED, ABSENT, Unpriced("timed out"), beyond=1_000), 0, 1_000, 0),
        (ended(Status.OK, Quarantined("odd", "{}"), Unpriced("odd")), 0, 1_000, 0),
    ],
)
def test_what_is_captured_depends_on_how_the_call_ended(
    book: PriceBook, call: Call, of_budget: int, exposed: int, of_wallet: int
) -> None:
    rules = Rules(budgets=[budget()], wallets=[WalletInForce(WalletRule(per="user"), Weights())])
    allowed = claimed(rules, exchange(max_tokens=100), book)
    held = [
        Held("budget b", 1, (Part(1, 1_000),)),
        Held("wallet acme/growth:user:ani", 2, (Part(2, 1_000),)),
    ]
    done = allowed.captured(held, call)
    assert [sum(part.amount for part in it.parts) for it in done] == [of_budget, of_wallet]
    assert [sum(part.amount for part in it.exposed) for it in done] == [exposed, 0]


def test_customers_pay_for_what_was_delivered_and_budgets_for_what_is_billed(
    book: PriceBook,
) -> None:
    rules = Rules(budgets=[budget()], wallets=[WalletInForce(WalletRule(per="user"), Weights())])
    allowed = claimed(rules, exchange(max_tokens=100), book)
    held = [
        Held("budget b", 1, (Part(1, 1_000),)),
        Held("wallet acme/growth:user:ani", 2, (Part(2, 1_000),)),
    ]
    whole = ended(Status.DISCONNECTED, GUESSED, COST)
    delivered = Usage(at=NOW, uncached_input=20, output=3, source=Source.ESTIMATED)
    done = allowed.captured(held, whole, delivered)
    assert [sum(part.amount for part in it.parts) for it in done] == [700, 23]


def test_a_request_beyond_any_ledger_is_refused_and_not_an_error_of_ours(book: PriceBook) -> None:
    endless = exchange(max_tokens=2**31 - 1, n=2**31 - 1)
    of_budget = allowance(Rules(budgets=[budget()]), endless, book)
    assert isinstance(of_budget, Refused)
    assert of_budget.code == "request_too_dear"
    assert "a ledger holds at most 9,223,372 USD" in of_budget.what
    rules = Rules(wallets=[WalletInForce(WalletRule(per="user"), Weights(tokens_per_credit=1))])
    of_wallet = allowance(rules, endless, book)
    assert isinstance(of_wallet, Refused)
    assert of_wallet.code == "request_too_dear"
    assert claimed(Rules(), endless, book).most_billed is None


def test_a_missing_rate_is_named_with_the_command_that_sets_it(book: PriceBook) -> None:
    refused = allowance(
        Rules(budgets=[budget(currency="IDR", amount="100000")]), exchange(max_tokens=5), book
    )
    assert isinstance(refused, Refused)
    assert refused.code == "price_unknown"
    assert "`tokonomi budget rate USD IDR RATE --source WHERE`" in refused.what


def test_a_search_at_a_fallback_is_held_by_its_fee_and_counts_for_the_models_own_budget(
    book: PriceBook,
) -> None:
    searching = routing.Target(provider="openrouter", web_search=routing.WebSearch())
    target = Target("openrouter", PROVIDER, "openai/gpt-5.1", "paper", terms=searching)
    rule = budget(scope={"model": "openai/gpt-5.1"}, amount="1000")
    asked = exchange("openai/gpt-5.1", max_tokens=10, web_search_options={})
    [claim] = claimed(Rules([rule]), structs.replace(asked, target=target), book).claims
    # The results may fill the window of 400,000 tokens at 1.25 USD a million, read ten times;
    # 100 output tokens at 10 USD a million, and 0.02 USD for the search.
    assert claim.amount == Money.parse("5.021", "USD").sub_units


def test_a_budget_of_the_fallback_alone_is_held_and_pays_nothing_for_the_first_target(
    book: PriceBook,
) -> None:
    asked = exchange(max_tokens=100)
    terms = routing.Target(provider="openrouter")
    fallback = Target("openrouter", PROVIDER, "openai/gpt-4o-mini", "m", terms=terms)
    rules = Rules(budgets=[budget(scope={"provider": fallback.price_as})])
    reachable = (asked.target, fallback)
    allowed = allowance(rules, asked, book, reachable=reachable)
    assert isinstance(allowed, Allowance)
    assert allowed.claims[0].amount > 0
    [done] = allowed.captured(
        [Held("budget b", 1, (Part(1, 1_000),))], ended(Status.OK, USED, COST)
    )
    assert (done.parts, done.exposed, done.overrun) == ((), (), 0)


def test_the_worst_case_of_a_call_is_the_same_with_a_budget_and_without(book: PriceBook) -> None:
    asked = exchange()
    counting = claimed(Rules([budget()], output_cap=77), asked, book)
    free = claimed(Rules(output_cap=77), asked, book)
    assert counting.most_billed == Money(1_000 * 150_000 + 77 * 600_000, "USD")
    assert (free.worst_case, free.most_billed) == (None, counting.most_billed)
