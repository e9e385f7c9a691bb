"""What must hold of a configuration: of each table by itself, and of all of them together."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from tokonomi.configuration.alerts import Alerts
from tokonomi.configuration.document import Document, Item, Kind
from tokonomi.configuration.mistakes import WrongAt, nearest
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.charge import Unpriced
from tokonomi.routing.address import address_of
from tokonomi.routing.alias import Alias, Target
from tokonomi.routing.breaker import BreakerRules
from tokonomi.routing.private_address import is_private
from tokonomi.routing.provider import Provider, Timeouts
from tokonomi.toml_places import Place


def check_alerts(alerts: Alerts) -> None:
    """Nothing: the webhook is an address that may be called, and what is sent there is signed.

    Raises:
        WrongAt: it is not.
    """
    sources = (alerts.secret_env, alerts.secret_file, alerts.secret_stored)
    named = sum(map(bool, sources))
    if not alerts.webhook:
        return
    address = address_of(alerts.webhook)
    if address is None:
        raise WrongAt(
            ("webhook",),
            f"{alerts.webhook!r} is not an address to send to",
            "Write it like https://hooks.example.com/tokonomi.",
        )
    if address.user_info:
        raise WrongAt(("webhook",), "holds a secret", "Check the signature instead.")
    if not alerts.allow_private:
        _check_public(address.host, ("webhook",), "such as a receiver on this host")
    if named != 1:
        raise WrongAt(
            (),
            "names more than one secret" if named else "names no secret",
            "Set one of secret_env, secret_file and secret_stored, so that the receiver can tell"
            " who sent it.",
        )


def check_breaker(rules: BreakerRules) -> None:
    """Nothing: breakers can open and close by these rules.

    Raises:
        WrongAt: a figure is not above 0, the share is above 1, or the longest time is the shorter.
    """
    for name, value in msgspec.structs.asdict(rules).items():
        positive((name,), value)
    if rules.failure_share > 1:
        raise WrongAt(("failure_share",), f"{rules.failure_share:g} is more than 1")
    if rules.longest_open_seconds < rules.open_seconds:
        raise WrongAt(
            ("longest_open_seconds",),
            f"{rules.longest_open_seconds:g} is less than open_seconds, {rules.open_seconds:g}",
            "Make it as long, or longer.",
        )


def check_provider(provider: Provider) -> None:
    """Nothing: its address is one that may be called, its key is named once, its times are above 0.

    Raises:
        WrongAt: it is not so.
    """
    address = address_of(provider.base_url)
    if address is None or address.query:
        raise WrongAt(
            ("base_url",),
            f"{provider.base_url!r} is not the address of an API",
            "Write it like https://api.openai.com/v1.",
        )
    if address.user_info:
        raise WrongAt(("base_url",), "holds a secret", "Set api_key_env instead.")
    if not provider.allow_private:
        _check_public(address.host, ("base_url",), "such as a local model")
    sources = {
        "api_key_env": provider.api_key_env,
        "api_key_file": provider.api_key_file,
        "api_key_stored": provider.api_key_stored,
    }
    named = [name for name, value in sources.items() if value]
    if len(named) > 1:
        raise WrongAt((), f"names both {named[0]} and {named[1]}", "Keep one of them.")
    _check_batches(provider)
    _check_timeouts(provider.timeouts, ("timeouts",))


def _check_public(host: str, place: Place, example: str) -> None:
    if is_private(host):
        raise WrongAt(
            place,
            f"{host} is an address of a private network or of this host",
            f"Set allow_private = true beside it if it is yours, {example}.",
        )


def _check_batches(provider: Provider) -> None:
    if provider.batch == "none":
        return
    if provider.dialect not in ("openai", "azure") or provider.azure_api_version:
        raise WrongAt(
            ("batch",),
            "batches go only to providers with OpenAI's interface of files and batches",
            "Leave it out; on Azure, call its v1 addresses, without azure_api_version.",
        )


def check_alias(name: str, alias: Alias) -> None:
    """Nothing: the alias has a chain that can be followed, whatever providers there are.

    Raises:
        WrongAt: it has not.
    """
    if "*" in name.removesuffix("*"):
        raise WrongAt((), "a star stands only at the end of an alias")
    if not alias.targets:
        raise WrongAt(("targets",), "is empty", "Name a provider, or a list of targets.")
    positive(("attempts",), alias.attempts)
    positive(("deadline_seconds",), alias.deadline_seconds)
    if alias.choose == "weighted" and not any(target.weight > 0 for target in alias.targets):
        raise WrongAt(("targets",), "no target has a weight above 0", "Give one a weight.")
    for number, target in enumerate(alias.targets):
        _check_target(name, target, ("targets", number))


def _check_target(alias: str, target: Target, place: Place) -> None:
    if "*" in target.model:
        raise WrongAt((*place, "model"), "a model's name has no star", "Leave it out.")
    if alias.endswith("*") and target.model:
        raise WrongAt(
            (*place, "model"), "an alias with a star has no model of its own", "Leave it out."
        )
    positive((*place, "attempts"), target.attempts)
    if target.weight < 0:
        raise WrongAt((*place, "weight"), f"{target.weight} is less than 0")
    if target.first_token_seconds is not None:
        positive((*place, "first_token_seconds"), target.first_token_seconds)
    if target.timeouts is not None:
        _check_timeouts(target.timeouts, (*place, "timeouts"))
    if target.web_search is not None:
        positive((*place, "web_search", "max_results"), target.web_search.max_results)


def _check_timeouts(timeouts: Timeouts, place: Place) -> None:
    for name, value in msgspec.structs.asdict(timeouts).items():
        positive((*place, name), value)


def positive(place: Place, value: float) -> None:
    """Nothing: the value is above 0.

    Raises:
        WrongAt: it is not.
    """
    if value <= 0:
        raise WrongAt(place, f"{value} is not more than 0")


def check_whole(document: Document) -> None:
    """Nothing: everything that a table names is there.

    Raises:
        WrongReference: a model's target names a provider that the document does not have.
    """
    providers = document.named(Kind.PROVIDER)
    for name, alias in document.models.items():
        for number, target in enumerate(alias.targets):
            if target.provider in providers:
                continue
            remedy = (
                nearest(target.provider, providers)
                if providers
                else "Add a [providers.NAME] section."
            )
            place = ("targets", number, "provider")
            raise WrongReference(
                Item(Kind.MODEL, name), WrongAt(place, f"no provider {target.provider!r}", remedy)
            )


class WrongReference(Exception):
    """An item names something that is not there."""

    def __init__(self, item: Item, wrong: WrongAt) -> None:
        self.item = item
        self.wrong = wrong
        super().__init__(wrong.what)


def warnings(document: Document, book: PriceBook, *, at: datetime) -> Iterator[str]:
    """What is allowed, and probably not meant: targets without a price, targets never tried."""
    for alias, reason in unpriced_targets(document, book, at=at):
        yield f"calls of {alias!r} will have no cost: {reason}. Add a price to [prices]."
    for name, alias in document.models.items():
        if len(alias.targets) > alias.attempts:
            yield (
                f"models.{name} has {len(alias.targets)} targets and {alias.attempts} attempts:"
                " the last ones are never tried. Raise attempts."
            )


def unpriced_targets(
    document: Document, book: PriceBook, *, at: datetime
) -> Iterator[tuple[str, str]]:
    """The aliases with a target that has no price now, and why. Those with a star cannot tell."""
    providers: Mapping[str, Provider] = document.providers
    for name, alias in document.models.items():
        if name.endswith("*"):
            continue
        for target in alias.targets:
            price_as = providers[target.provider].price_as or target.provider
            row = book.row_at(price_as, target.model or name, at)
            if isinstance(row, Unpriced):
                yield name, row.reason
