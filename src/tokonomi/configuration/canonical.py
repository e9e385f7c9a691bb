"""Each kind's table as people write it, checked by itself and put into its one canonical form."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, cast

import msgspec

from tokonomi.budgets.rate_table import decimal_text, rate_from_text
from tokonomi.budgets.table import budget_from_table, budget_to_table
from tokonomi.configuration.alerts import Alerts
from tokonomi.configuration.checks import (
    check_alerts,
    check_alias,
    check_breaker,
    check_provider,
)
from tokonomi.configuration.document import Item, Kind, Table, chained
from tokonomi.configuration.fallback_watch import FallbackWatch, check_fallback_watch
from tokonomi.configuration.mistakes import WrongAt, converted, nearest
from tokonomi.credits.package import CreditTable, PackageTable, offer_of
from tokonomi.credits.rule_table import rule_from_table, rule_to_table
from tokonomi.errors import TokonomiError
from tokonomi.money import ExchangeRate
from tokonomi.pricing.contract import compile_contract
from tokonomi.pricing.price_file import ContractFile, instant
from tokonomi.routing.alias import Alias
from tokonomi.routing.breaker import BreakerRules
from tokonomi.routing.provider import Provider

_SHORT_FORM: Final = frozenset({"provider", "model"})
_ALIAS_KEYS: Final = ("provider", "model", *Alias.__struct_encode_fields__)
"""All that a target may have to be written without a list of targets."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known to who reads tables: the names of time zones, which a machine's files hold."""

    zones: Collection[str]

    def item(self, kind: Kind, name: str, table: Table) -> tuple[Item, Table]:
        """The item that a table states, and its canonical table.

        `name` is what the table is called from outside; tables in lists name themselves.

        Raises:
            WrongAt: something in it is wrong; the place counts from the table.
        """
        try:
            found, canonical = _CANONICAL[kind](name, table, self.zones)
        except TokonomiError as wrong:
            raise WrongAt((), wrong.what, wrong.remedy) from None
        return Item(kind, found), canonical


class RateForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may stand in an exchange rate's table."""

    base: str
    quote: str
    rate: str
    on: date
    source: str


def rate_of(table: Table) -> ExchangeRate:
    """The exchange rate that a table states.

    Raises:
        WrongAt: an unknown key or a wrong type.
        BadInput: not a rate, or no source.
    """
    read = converted(table, RateForm)
    return rate_from_text(read.base, read.quote, read.rate, on=read.on, source=read.source)


def rate_name(rate: ExchangeRate) -> str:
    """What tells a rate from others: its pair and its day, `USD/IDR 2026-01-30`."""
    return f"{rate.base}/{rate.quote} {rate.on}"


def rate_table(rate: ExchangeRate) -> Table:
    """The table that states a rate."""
    return {
        "base": rate.base,
        "quote": rate.quote,
        "rate": decimal_text(rate.rate),
        "on": rate.on.isoformat(),
        "source": rate.source,
    }


def stated(struct: msgspec.Struct) -> Table:
    """What a record says beyond its defaults, as plain values.

    >>> stated(Provider(base_url="https://a/v1", api_key_env="A"))
    {'base_url': 'https://a/v1', 'api_key_env': 'A'}
    """
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(struct):
        value: object = getattr(struct, field.name)
        if value != field.default and not (field.required is False and value in ({}, ())):
            found[field.encode_name] = _plain(value)
    return found


def _plain(value: object) -> object:
    match value:
        case msgspec.Struct():
            return stated(value)
        case Mapping():
            table = cast("Mapping[object, object]", value)
            return {str(key): _plain(each) for key, each in table.items()}
        case tuple() | list():
            return [_plain(each) for each in cast("list[object]", value)]
        case bool() | int():
            return value
        case float():
            return int(value) if value.is_integer() else value
        case _:
            return str(value)


def _alerts(_: str, table: Table, __: Collection[str]) -> tuple[str, Table]:
    alerts = converted(table, Alerts)
    check_alerts(alerts)
    return "", stated(alerts)


def _breaker(_: str, table: Table, __: Collection[str]) -> tuple[str, Table]:
    rules = converted(table, BreakerRules)
    check_breaker(rules)
    return "", stated(rules)


def _fallback_watch(_: str, table: Table, __: Collection[str]) -> tuple[str, Table]:
    watch = converted(table, FallbackWatch)
    check_fallback_watch(watch)
    return "", stated(watch)


def _provider(name: str, table: Table, _: Collection[str]) -> tuple[str, Table]:
    provider = converted(table, Provider)
    check_provider(provider)
    return name, stated(provider)


def _model(name: str, table: Table, _: Collection[str]) -> tuple[str, Table]:
    if "targets" in table and _SHORT_FORM & table.keys():
        raise WrongAt(
            ("targets",), "stands beside a provider of its own", "Write it as one of the targets."
        )
    for key in table.keys() - set(_ALIAS_KEYS):
        raise WrongAt((key,), "no such key", nearest(key, _ALIAS_KEYS))
    try:
        alias = converted(chained(table), Alias)
        check_alias(name, alias)
    except WrongAt as wrong:
        raise as_written(wrong, table) from None
    whole = dict(stated(alias))
    [first, *others] = cast("list[dict[str, object]]", whole["targets"])
    if others or not first.keys() <= _SHORT_FORM:
        return name, whole
    del whole["targets"]
    return name, {**first, **whole}


def as_written(wrong: WrongAt, table: Table) -> WrongAt:
    """A mistake in a chain, at the key of the table that it was written with."""
    if "targets" not in table and wrong.place[:2] == ("targets", 0):
        return WrongAt(wrong.place[2:], wrong.what, wrong.remedy)
    return wrong


def _prices(_: str, table: Table, __: Collection[str]) -> tuple[str, Table]:
    contract = converted(table, ContractFile, dec_hook=instant)
    compile_contract("prices", contract)
    return "", stated(contract)


def _rate(_: str, table: Table, __: Collection[str]) -> tuple[str, Table]:
    rate = rate_of(table)
    return rate_name(rate), rate_table(rate)


def _budget(_: str, table: Table, zones: Collection[str]) -> tuple[str, Table]:
    budget = budget_from_table(table, zones=zones)
    return budget.id, budget_to_table(budget)


def _wallet_rule(_: str, table: Table, __: Collection[str]) -> tuple[str, Table]:
    rule = rule_from_table(table)
    return rule.rule.per, rule_to_table(rule)


def _credit(_: str, table: Table, __: Collection[str]) -> tuple[str, Table]:
    credit = converted(table, CreditTable)
    offer_of(credit, (), name="credit")
    return "", stated(credit)


def _package(_: str, table: Table, __: Collection[str]) -> tuple[str, Table]:
    package = converted(table, PackageTable)
    offer_of(CreditTable(), (package,), name="package")
    return package.id, stated(package)


_Canonical = Callable[[str, Table, Collection[str]], tuple[str, Table]]
_CANONICAL: Final[Mapping[Kind, _Canonical]] = {
    Kind.ALERTS: _alerts,
    Kind.BREAKER: _breaker,
    Kind.FALLBACK_WATCH: _fallback_watch,
    Kind.PROVIDER: _provider,
    Kind.MODEL: _model,
    Kind.PRICES: _prices,
    Kind.RATE: _rate,
    Kind.BUDGET: _budget,
    Kind.WALLET_RULE: _wallet_rule,
    Kind.CREDIT: _credit,
    Kind.PACKAGE: _package,
}
"""Of each kind: from the name outside, the table and the known zones to the name and the table."""
