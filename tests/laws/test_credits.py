"""Laws of credits: nothing is lost or made, every sub-unit of a price is accounted for, and the
order of burning holds, against a model that is nothing but a list of single milli-credits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tokonomi.credits.grant import Grant, Used, burn_order, ending, refund, worth
from tokonomi.credits.notices import Level, Notice, NoticeKey, due_notice
from tokonomi.credits.wallet import Entry, EntryKind, WalletName, statement, wallet_name
from tokonomi.credits.weights import Weights, credits_bound, credits_used
from tokonomi.errors import BadInput
from tokonomi.ledger.account import Balance
from tokonomi.ledger.hold import Demand, Held, Refusal, authorize, capture
from tokonomi.money import Money
from tokonomi.pricing.bound import Bounds
from tokonomi.pricing.row import Media
from tokonomi.usage import COUNTS, Usage

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


@st.composite
def grants(draw: st.DrawFn) -> Grant:
    begins = draw(st.integers(0, 2))
    ends = draw(st.none() | st.integers(begins + 1, 8))
    sold = draw(st.booleans())
    return Grant(
        id=draw(st.text(alphabet="abc", min_size=1, max_size=4)),
        wallet="default:user:ani",
        amount=draw(st.integers(1, 30)),
        granted_at=day(begins),
        expires_at=None if ends is None else day(ends),
        priority=draw(st.sampled_from([10, 50])),
        promotional=not sold,
        paid=Money(draw(st.integers(0, 1_000)), "IDR") if sold else None,
        rollover_cap=0 if ends is None else draw(st.integers(0, 10)),
    )


several = st.lists(grants(), unique_by=lambda grant: grant.id)


@given(several.flatmap(lambda found: st.permutations(found).map(lambda mixed: (found, mixed))))
def test_the_order_of_burning_does_not_depend_on_the_order_of_asking(
    orders: tuple[list[Grant], list[Grant]],
) -> None:
    found, mixed = orders
    for now in range(9):
        order = burn_order(found, day(now))
        assert burn_order(mixed, day(now)) == order
        assert sorted(grant.id for grant in order) == sorted(
            grant.id for grant in found if grant.usable(day(now))
        )


@given(several, st.integers(0, 8))
def test_of_two_grants_that_differ_in_one_thing_the_better_one_to_burn_burns_first(
    found: list[Grant], now: int
) -> None:
    order = burn_order(found, day(now))
    for first, second in pairwise(order):
        assert first.priority <= second.priority
        if first.priority == second.priority:
            assert first.promotional >= second.promotional
            if first.promotional == second.promotional and second.expires_at is not None:
                assert first.expires_at is not None
                assert first.expires_at <= second.expires_at


@given(st.integers(0, 10**18), st.lists(st.integers(0, 5_000), min_size=1, max_size=8))
def test_however_a_grant_is_cut_its_stretches_are_worth_its_price_exactly(
    price: int, stretches: list[int]
) -> None:
    amount = sum(stretches) or 1
    grant = Grant(id="g", wallet="w", amount=amount, granted_at=START, paid=Money(price, "IDR"))
    edges = [sum(stretches[:count]) for count in range(len(stretches) + 1)]
    edges[-1] = amount
    parts = [worth(grant, first, last) for first, last in pairwise(edges)]
    assert sum(part.sub_units for part in parts) == price
    for part, first, last in zip(parts, edges, edges[1:], strict=False):
        assert abs(part.sub_units - Fraction(price * (last - first), amount)) < 1


weights = st.builds(
    Weights,
    tokens_per_credit=st.integers(1, 3_000),
    stated=st.dictionaries(
        st.sampled_from(COUNTS), st.fractions(min_value=0, max_value=20, max_denominator=12)
    ),
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Bounds, Usage]:
    """The bounds of a request, and a usage within them."""
    audio, images = draw(st.booleans()), draw(st.booleans())
    taken = {name: draw(st.integers(0, 30)) for name in COUNTS if name != "requests"}
    taken |= {} if audio else {"audio_in": 0, "cache_read_audio": 0, "audio_out": 0}
    taken |= {} if images else {"image_in": 0, "image_out": 0}
    taken["output"] += taken["reasoning"]
    taken["requests"] = draw(st.integers(0, 1))
    usage = msgspec.convert({"at": START, **taken}, Usage)
    choices = draw(st.integers(1, 3))
    bounds = Bounds(
        input_tokens=usage.total_input + draw(st.integers(0, 9)),
        output_tokens=-(-usage.total_output // choices),
        choices=choices,
        searches=usage.searches,
        media=Media(audio_in=audio, audio_out=audio, image_in=images, image_out=images),
    )
    return bounds, usage


@given(weights, st.lists(requests(), min_size=1, max_size=3), st.integers(1, 3), st.data())
def test_no_usage_within_the_bounds_uses_more_credits_than_were_held(
    counted: Weights,
    chain: list[tuple[Bounds, Usage]],
    attempts: int,
    data: st.DataObject,
) -> None:
    held = credits_bound([bounds for bounds, _ in chain], counted, billed_attempts=attempts)
    served = [data.draw(st.sampled_from(chain))[1] for _ in range(attempts)]
    assert sum(credits_used(usage, counted) for usage in served) <= held


whole_weights = st.builds(
    Weights, stated=st.dictionaries(st.sampled_from(COUNTS), st.integers(0, 9).map(Fraction))
)


@given(whole_weights, requests())
def test_some_usage_within_the_bounds_uses_exactly_the_credits_that_are_held(
    counted: Weights, request: tuple[Bounds, Usage]
) -> None:
    bounds, _ = request
    inputs = ["uncached_input", "cache_read", "cache_write_5m", "cache_write_1h"]
    media = bounds.media
    inputs += ["audio_in", "cache_read_audio"] * media.audio_in + ["image_in"] * media.image_in
    outputs = ["output"] + ["audio_out"] * media.audio_out + ["image_out"] * media.image_out
    everything = bounds.all_output_tokens
    used = [
        credits_used(
            msgspec.convert(
                {
                    "at": START,
                    "searches": bounds.searches,
                    "reasoning": thinking,
                    bucket: bounds.input_tokens,
                    kind: everything,
                },
                Usage,
            ),
            counted,
        )
        for bucket in inputs
        for kind in outputs
        for thinking in ([0, everything] if kind == "output" else [0])
    ]
    assert max(used) == credits_bound([bounds], counted)


@given(st.lists(st.integers(0, 40), max_size=20), st.integers(0, 30))
def test_however_a_wallet_empties_each_notice_is_told_at_most_once_per_top_up(
    burns: Sequence[int], low_at: int
) -> None:
    balance, newest, told = 100, "payment/0", list[NoticeKey]()
    for number, burn in enumerate(burns):
        if burn == 40:
            balance, newest = balance + 100, f"payment/{number}"
        else:
            balance -= min(burn, balance)
        level = Level(wallet="default:user:ani", balance=balance, newest=newest)
        due = due_notice(level, low_at=low_at, fired=told)
        if due is not None:
            told.append(due)
        expected = Notice.EXHAUSTED if balance == 0 else Notice.LOW
        reached = balance <= low_at or balance == 0
        assert (NoticeKey("default:user:ani", expected, newest) in told) or not reached
    assert len(told) == len(set(told))


names = st.sampled_from(["user", "project", "tag:user", "tag:a", "tag:a:b", "tag:a=b"])
values = st.text(alphabet="ab:%,=.", min_size=1, max_size=3)


wallet_names = st.builds(WalletName, values, names, values).map(
    lambda name: WalletName(name.project, name.per, name.project) if name.per == "project" else name
)


@given(wallet_names, wallet_names)
def test_two_wallets_share_an_id_only_if_they_are_one(one: WalletName, other: WalletName) -> None:
    assert (one.id == other.id) == (one == other)
    assert wallet_name(one.id) == one


class Wallet(RuleBasedStateMachine):
    """A wallet run by the pure rules and the ledger's holds, beside a list of milli-credits."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.grants: dict[str, Grant] = {}
        self.used: dict[str, Used] = {}
        self.entries: list[Entry] = []
        self.accounts: list[str] = []
        self.holds: list[Held] = []
        self.worths: dict[str, int] = {}
        # The model: which milli-credits of which grant lie in the wallet, on hold or not.
        self.model: dict[str, int] = {}
        self.model_held: dict[str, int] = {}

    @initialize(grant=grants())
    def first(self, grant: Grant) -> None:
        self._add(grant, EntryKind.PROMOTION if grant.promotional else EntryKind.PURCHASE)

    @rule(grant=grants())
    def top_up(self, grant: Grant) -> None:
        if grant.id not in self.grants:
            self._add(grant, EntryKind.PROMOTION if grant.promotional else EntryKind.PURCHASE)

    @rule(days=st.integers(1, 3))
    def wait(self, days: int) -> None:
        self.now += days

    @rule(needed=st.integers(1, 25))
    def ask(self, needed: int) -> None:
        order = burn_order(self.grants.values(), day(self.now))
        balances = {self.accounts.index(grant.id): self._balance(grant) for grant in order}
        held = authorize(
            balances, [Demand(source="wallet", accounts=tuple(balances), amount=needed)]
        )
        possible = sum(self.model[grant.id] for grant in order)
        assert isinstance(held, Refusal) == (needed > possible)
        if isinstance(held, Refusal):
            return
        self.holds.append(held[0])
        parts = {self.accounts[part.account]: part.amount for part in held[0].parts}
        assert list(parts) == [grant.id for grant in order if grant.id in parts]
        missing = needed
        for grant in order:
            takes = min(missing, self.model[grant.id])
            assert parts.get(grant.id, 0) == takes
            self.model[grant.id] -= takes
            self.model_held[grant.id] += takes
            missing -= takes
            self._use(grant.id, held=takes)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        held = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
        done = capture(held, data.draw(st.integers(0, held.amount)))
        taken = {part.account: part.amount for part in done.parts}
        for part in held.parts:
            name, burned = self.accounts[part.account], taken.get(part.account, 0)
            self._settle(name, burned)
            self._use(name, settled=burned, held=-part.amount)
            self.model_held[name] -= part.amount
            self.model[name] += part.amount - burned
            self._book(name, EntryKind.BURN, burned)

    @rule(data=st.data(), amount=st.integers(1, 30))
    def pay_back(self, data: st.DataObject, amount: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.grants)))
        grant, used = self.grants[name], self.used[name]
        if grant.promotional or used.ended or amount > self.model[name]:
            with pytest.raises(BadInput):
                refund(grant, used, amount)
            return
        paid = refund(grant, used, amount)
        self._settle(name, amount)
        self._use(name, settled=amount)
        self.model[name] -= amount
        self._book(name, EntryKind.REFUND, amount, paid.money)

    @rule()
    def sweep(self) -> None:
        for name in sorted(self.grants):
            self._end(name)

    def _end(self, name: str) -> None:
        grant, used = self.grants[name], self.used[name]
        end = ending(grant, used, day(self.now))
        over = grant.expires_at is not None and grant.expires_at <= day(self.now)
        assert (end is not None) == (over and not used.ended and not self.model_held[name])
        if end is None:
            return
        rolled = 0 if end.rolled is None else end.rolled.amount
        assert rolled <= grant.rollover_cap
        assert end.breakage + rolled == self.model[name]
        self.used[name] = Used(settled=grant.amount, ended=True)
        self.model[name] = 0
        self.worths[name] += end.kept.sub_units if end.kept else 0
        self._book(name, EntryKind.EXPIRY, end.breakage, end.kept)
        if end.rolled is not None:
            self.worths[name] += end.rolled.paid.sub_units if end.rolled.paid else 0
            self._book(name, EntryKind.ROLLED_OUT, rolled)
            self._add(end.rolled, EntryKind.ROLLED_IN)

    @invariant()
    def the_statement_agrees_with_the_model(self) -> None:
        in_wallet = sum(self.model.values()) + sum(self.model_held.values())
        whole = statement("default:user:ani", self.entries, since=START, until=day(self.now + 1))
        assert (whole.opening, whole.closing) == (0, in_wallet)
        early = statement("default:user:ani", self.entries, since=START, until=day(self.now))
        late = statement(
            "default:user:ani", self.entries, since=day(self.now), until=day(self.now + 1)
        )
        assert (early.closing, late.closing) == (late.opening, in_wallet)
        assert {kind: early.totals[kind] + late.totals[kind] for kind in EntryKind} == whole.totals

    @invariant()
    def every_sub_unit_of_a_price_is_accounted_for_once_all_credits_are(self) -> None:
        for name, grant in self.grants.items():
            price = grant.paid.sub_units if grant.paid else 0
            rest = 0
            if grant.paid and not self.used[name].ended:
                rest = worth(grant, self.used[name].settled, grant.amount).sub_units
            assert self.worths[name] + rest == price

    @invariant()
    def a_grant_expires_once_and_never_more_than_it_had(self) -> None:
        ends = [entry.grant for entry in self.entries if entry.kind is EntryKind.EXPIRY]
        assert len(ends) == len(set(ends))
        for name, grant in self.grants.items():
            used = self.used[name]
            assert used.left(grant) == self.model[name]
            assert used.held == self.model_held[name]

    def _add(self, grant: Grant, kind: EntryKind) -> None:
        assert grant.id not in self.grants
        self.grants[grant.id], self.used[grant.id] = grant, Used()
        self.accounts.append(grant.id)
        self.model[grant.id], self.model_held[grant.id] = grant.amount, 0
        self.worths[grant.id] = 0
        self._book(grant.id, kind, grant.amount, grant.paid)

    def _balance(self, grant: Grant) -> Balance:
        used = self.used[grant.id]
        return Balance(
            credits_posted=grant.amount, debits_posted=used.settled, debits_pending=used.held
        )

    def _use(self, name: str, *, settled: int = 0, held: int = 0) -> None:
        used = self.used[name]
        self.used[name] = Used(settled=used.settled + settled, held=used.held + held)

    def _settle(self, name: str, amount: int) -> None:
        grant, settled = self.grants[name], self.used[name].settled
        if grant.paid is not None:
            self.worths[name] += worth(grant, settled, settled + amount).sub_units

    def _book(self, name: str, kind: EntryKind, amount: int, money: Money | None = None) -> None:
        self.entries.append(
            Entry(at=day(self.now), grant=name, kind=kind, amount=amount, money=money)
        )


TestWallet = Wallet.TestCase
TestWallet.settings = settings(stateful_step_count=30)
