"""The wallets that people name: in the project they say, or the only one there is."""

from datetime import UTC, datetime

import pytest

from tokonomi.errors import BadInput, NotFound
from tokonomi.storage import keys
from tokonomi.storage.database import Database
from tokonomi.storage.package_files import load_offer
from tokonomi.storage.wallet_names import wallet_named
from tokonomi.storage.wallet_store import buy

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def begin(database: Database, *projects: str) -> None:
    for project in projects:
        keys.create(database, "a", project, now=NOW)


@pytest.mark.parametrize(
    ("text", "wallet"),
    [
        ("user=ani", "acme/shop:user:ani"),
        ("tag:document=d:7", "acme/shop:tag.document:d%3A7"),
        ("project", "project:acme/shop"),
        ("project=acme/shop", "project:acme/shop"),
        ("acme/shop:user:ani", "acme/shop:user:ani"),
        ("project:acme/shop", "project:acme/shop"),
    ],
)
def test_a_wallet_is_of_the_only_project_there_is(
    database: Database, text: str, wallet: str
) -> None:
    begin(database, "acme/shop", "acme/shop")
    assert wallet_named(database, text) == wallet
    assert wallet_named(database, text, project="acme/shop") == wallet


def test_a_store_without_keys_has_the_project_that_keys_are_made_in(database: Database) -> None:
    assert wallet_named(database, "user=ani") == "default:user:ani"
    assert wallet_named(database, "project") == "project:default"


def test_of_several_projects_one_must_be_said(database: Database) -> None:
    begin(database, *"gfedcba")
    with pytest.raises(BadInput, match="there are 7 projects: a, b, c, d, e and 2 more"):
        wallet_named(database, "user=ani")
    with pytest.raises(BadInput, match="there are 7 projects"):
        wallet_named(database, "project")
    assert wallet_named(database, "user=ani", project="b") == "b:user:ani"
    assert wallet_named(database, "project=g") == "project:g"


@pytest.mark.parametrize("text", ["user=ani", "acme/shp:user:ani", "project=acme/shp", "project"])
def test_a_project_that_nobody_has_is_refused(database: Database, text: str) -> None:
    begin(database, "acme/shop")
    with pytest.raises(NotFound, match=r"a project 'acme/shp'.*Did you mean .acme/shop."):
        wallet_named(database, text, project="acme/shp")


def test_a_project_with_a_wallet_exists(database: Database) -> None:
    begin(database, "shop")
    package = load_offer().package("paper")
    buy(database, package, wallet="old:user:ani", payment_id="p-1", now=NOW)
    buy(database, package, wallet="project:own", payment_id="p-2", now=NOW)
    assert wallet_named(database, "user=ani", project="old") == "old:user:ani"
    assert wallet_named(database, "user=ani", project="own") == "own:user:ani"


def test_a_payment_told_again_is_for_its_wallet_whatever_projects_came_later(
    database: Database,
) -> None:
    package = load_offer().package("paper")
    paid = {"user=ani": "p-1", "project": "p-2"}
    wallets = {text: wallet_named(database, text, grant=f"payment/{paid[text]}") for text in paid}
    for text, payment in paid.items():
        buy(database, package, wallet=wallets[text], payment_id=payment, now=NOW)
    begin(database, "default", "shop", "lab")
    assert wallets == {
        text: wallet_named(database, text, grant=f"payment/{paid[text]}") for text in paid
    }
    for text, grant in (("user=budi", "payment/p-1"), ("user=ani", "payment/p-3")):
        with pytest.raises(BadInput, match="there are 3 projects"):
            wallet_named(database, text, grant=grant)
    assert wallet_named(database, "user=ani", project="lab", grant="payment/p-1") == "lab:user:ani"


@pytest.mark.parametrize(
    ("text", "project"),
    [
        ("a:user:ani", "b"),
        ("project=a", "b"),
        ("project:a", "b"),
        ("colour=red", ""),
        ("user=", ""),
    ],
)
def test_what_names_no_wallet_or_two_projects_is_refused(
    database: Database, text: str, project: str
) -> None:
    begin(database, "a", "b")
    with pytest.raises(BadInput):
        wallet_named(database, text, project=project)
