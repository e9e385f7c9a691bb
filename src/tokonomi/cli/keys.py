"""`tokonomi keys`: the virtual keys that clients call the gateway with."""

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from tokonomi.budgets.rate_limit import RateLimits
from tokonomi.cli.printing import AS_TABLE, Listing, print_table
from tokonomi.cli.store_options import DEFAULT_STORE, Place, in_utc, pairs
from tokonomi.reports.tables import Heading, Table
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import (
    DEFAULT_PROJECT,
    FREE,
    Key,
    Terms,
    bound_to,
    change_terms,
    create,
    every_key,
    networks_from,
    revoke,
)

app = App(name="keys", help="Make, list, limit and revoke the virtual keys that clients call with.")

NONE: Final = "none"
"""The value that takes a limit or a list away."""

Most = int | Literal["none"] | None
Expiry = datetime | Literal["none"] | None
Texts = Annotated[list[str] | None, Parameter(negative=())]

_HEADINGS: Final = (
    Heading("id"),
    Heading("name"),
    Heading("project"),
    Heading("hint"),
    Heading("created"),
    Heading("revoked", optional=True),
    Heading("limits", optional=True),
    Heading("bound_to", optional=True),
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTerms:
    """What binds a key, beside budgets. What is not given keeps its value; none takes it away.

    Attributes:
        rpm: requests a minute.
        tpm: tokens a minute, input and output together.
        concurrent: requests at the same time.
        expires: day or instant from which the key is refused, in UTC where no zone is given.
        network: where its requests may come from, such as 10.0.0.0/8. Repeatable.
        model: a model that it may ask for; openai/* allows all that begin so. Repeatable.
        user: the end user of all its calls; a request that names another one is refused.
        feature: the feature of all its calls.
        tag: a tag of all its calls and its value, such as plan=pro. Repeatable.
    """

    rpm: Most = None
    tpm: Most = None
    concurrent: Most = None
    expires: Expiry = None
    network: Texts = None
    model: Texts = None
    user: str | None = None
    feature: str | None = None
    tag: Texts = None

    def over(self, terms: Terms) -> Terms:
        """The terms of a key with these in them."""
        limits = terms.limits
        networks, models, tags = map(_listed, (self.network, self.model, self.tag))
        return Terms(
            expires=_expiry(self.expires, terms.expires),
            networks=terms.networks if networks is None else networks_from(networks),
            models=terms.models if models is None else tuple(models),
            limits=RateLimits(
                requests=_limit(self.rpm, limits.requests),
                tokens=_limit(self.tpm, limits.tokens),
                concurrent=_limit(self.concurrent, limits.concurrent),
            ),
            bound=bound_to(
                user=_value(self.user, dict(terms.bound).get("user", "")),
                feature=_value(self.feature, dict(terms.bound).get("feature", "")),
                tags=terms.bound_tags if tags is None else pairs(tags, "--tag"),
            ),
        )


UNSAID: Final = KeyTerms()


@app.command(name="create")
def create_key(
    *,
    name: str,
    project: str = DEFAULT_PROJECT,
    terms: KeyTerms = UNSAID,
    place: Place = DEFAULT_STORE,
) -> None:
    """Make a key and print it. It is stored only as a hash, so it is shown this once.

    Args:
        name: what you call it, such as the program that will use it.
        project: whose calls it makes; reports group by it.
        terms: what binds it.
        place: which store.
    """
    with place.opened() as connection:
        text, key = create(connection, name, project, now=datetime.now(UTC), terms=terms.over(FREE))
    sys.stdout.write(f"{text}\n")
    sys.stderr.write(
        f"Keep it: it is not shown again. Running gateways know it within a second."
        f" Revoke it with: tokonomi keys revoke {key.id}\n"
    )


@app.command(name="list")
def list_keys(*, listing: Listing = AS_TABLE, place: Place = DEFAULT_STORE) -> None:
    """List all keys, the revoked ones too, without the keys themselves.

    Args:
        listing: how the list is written.
        place: which store.
    """
    with closing(open_store(place.location.readable)) as connection:
        keys = every_key(connection)
    print_table(_table(keys), listing)


@app.command(name="limit")
def limit_key(key_id: str, *, terms: KeyTerms = UNSAID, place: Place = DEFAULT_STORE) -> None:
    """Change what binds a key. Limits are in force at once, the rest within a second.

    Args:
        key_id: the key's id, as `tokonomi keys list` shows it.
        terms: what changes.
        place: which store.
    """
    with place.opened() as connection:
        key = change_terms(connection, key_id, terms.over, now=datetime.now(UTC))
    sys.stdout.write(f"{key.id} ({key.name}, ...{key.hint}): {_all_said(key.terms)}\n")


@app.command(name="revoke")
def revoke_key(key_id: str, *, place: Place = DEFAULT_STORE) -> None:
    """Revoke a key. Running gateways refuse it within a second; calls in flight are finished.

    Args:
        key_id: the key's id, as `tokonomi keys list` shows it.
        place: which store.
    """
    with place.opened() as connection:
        key = revoke(connection, key_id, now=datetime.now(UTC))
    sys.stdout.write(f"{key.id} ({key.name}, ...{key.hint}) is revoked\n")


def _table(keys: Sequence[Key]) -> Table:
    rows = tuple(
        (
            key.id,
            key.name,
            key.project,
            f"...{key.hint}",
            _instant(key.created),
            _instant(key.revoked),
            _said(key.terms) or None,
            _bound_said(key.terms) or None,
        )
        for key in keys
    )
    notes = () if keys else ("There are no keys. `tokonomi keys create --name NAME` makes one.",)
    return Table("Virtual keys", _HEADINGS, rows, notes)


def _said(terms: Terms) -> str:
    """What binds a key, in words."""
    limits = terms.limits
    said = [
        None if limits.requests is None else f"{limits.requests} requests a minute",
        None if limits.tokens is None else f"{limits.tokens} tokens a minute",
        None if limits.concurrent is None else f"{limits.concurrent} at once",
        None if terms.expires is None else f"until {_instant(terms.expires)}",
        f"from {' '.join(map(str, terms.networks))}" if terms.networks else None,
        f"for {' '.join(terms.models)}" if terms.models else None,
    ]
    return ", ".join(each for each in said if each is not None)


def _bound_said(terms: Terms) -> str:
    """The dimensions of all its calls, in words."""
    return ", ".join(f"{name}={value}" for name, value in terms.bound)


def _all_said(terms: Terms) -> str:
    limits = _said(terms) or "no limits"
    return f"{limits}; bound to {_bound_said(terms)}" if terms.bound else limits


def _value(given: str | None, known: str) -> str:
    if given is None:
        return known
    return "" if given == NONE else given


def _limit(given: Most, known: int | None) -> int | None:
    if given is None:
        return known
    return None if given == NONE else given


def _expiry(given: Expiry, known: datetime | None) -> datetime | None:
    if given is None:
        return known
    return None if given == NONE else in_utc(given)


def _listed(given: list[str] | None) -> list[str] | None:
    """The values of a repeatable option: an empty list takes them away, None leaves them."""
    return [] if given == [NONE] else given


def _instant(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"
