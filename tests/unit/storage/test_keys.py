"""Virtual keys: what is stored of them, and who knows them when."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tokonomi.budgets.rate_limit import RateLimits
from tokonomi.errors import BadInput, NotFound
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import (
    KeyRing,
    Terms,
    bound_to,
    change_terms,
    create,
    every_key,
    hash_of,
    networks_from,
    revoke,
)

AT = datetime(2026, 1, 30, 12, tzinfo=UTC)


def test_a_key_is_stored_as_a_hash_only(database: Database) -> None:
    text, key = create(database, "laptop", "research", now=AT)
    assert text.startswith("tk-")
    assert len(text) == 3 + 43
    assert (key.name, key.project, key.hint) == ("laptop", "research", text[-4:])
    [row] = database.execute("SELECT * FROM api_key").fetchall()
    assert not any(text in str(value) for value in row)
    assert bytes(row[3]) == hash_of(text.encode())
    assert every_key(database) == [key]


def test_no_two_keys_are_alike(database: Database) -> None:
    made = [create(database, "same name", "p", now=AT) for _ in range(20)]
    assert len({text for text, _ in made}) == len({key.id for _, key in made}) == 20


def test_the_text_of_a_key_is_nowhere_in_the_file_of_sqlite(tmp_path: Path) -> None:
    store = tmp_path / "tokonomi.db"
    with closing(open_store(store)) as database:
        text, _ = create(database, "laptop", "research", now=AT)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert text.encode() not in store.read_bytes()


@pytest.mark.parametrize(
    ("name", "project"), [("", "p"), ("n", ""), ("a\nb", "p"), ("n" * 101, "p")]
)
def test_a_key_without_a_proper_name_is_refused(
    database: Database, name: str, project: str
) -> None:
    with pytest.raises(BadInput):
        create(database, name, project, now=AT)
    assert every_key(database) == []


def test_a_ring_learns_of_new_and_of_revoked_keys(database: Database, store: Path | str) -> None:
    with closing(open_store(store)) as other:
        ring = KeyRing(other)
        text, key = create(database, "n", "p", now=AT)
        assert ring.find(text.encode()) is None
        assert ring.refresh()
        assert ring.find(text.encode()) == key
        assert not ring.refresh()
        revoke(database, key.id, now=AT)
        assert ring.refresh()
        assert ring.find(text.encode()) is None
        assert ring.find(b"tk-nobody") is None


def test_a_key_revoked_twice_keeps_the_first_time(database: Database) -> None:
    _, key = create(database, "n", "p", now=AT)
    later = AT + timedelta(hours=1)
    assert revoke(database, key.id, now=later).revoked == later
    assert revoke(database, key.id, now=later + timedelta(hours=1)).revoked == later


TERMS = Terms(
    expires=AT + timedelta(days=1),
    networks=networks_from(["10.0.0.0/8", "2001:db8::/32"]),
    models=("gpt-4o-mini", "local/*"),
    limits=RateLimits(requests=60, tokens=1_000),
)


def test_a_key_that_is_over_when_it_is_made_or_limited_is_refused(database: Database) -> None:
    _, key = create(database, "n", "p", now=AT, terms=TERMS)
    over = r"refused from 2026-01-30T12:00:00\+00:00 on, and it is 2026-01-30T12:00:00\+00:00"
    with pytest.raises(BadInput, match=over):
        create(database, "n", "p", now=AT, terms=Terms(expires=AT))
    with pytest.raises(BadInput, match=over):
        change_terms(database, key.id, lambda known: replace(known, expires=AT), now=AT)
    assert every_key(database) == [key]
    later = AT + timedelta(days=2)
    bound = change_terms(
        database, key.id, lambda known: replace(known, bound=bound_to(user="a", tags={})), now=later
    )
    assert bound.terms.expires == TERMS.expires


def test_what_binds_a_key_is_kept_and_changed_while_a_ring_learns_of_it(
    database: Database, store: Path | str
) -> None:
    text, key = create(database, "n", "p", now=AT, terms=TERMS)
    assert key.terms == TERMS
    with closing(open_store(store)) as other:
        ring = KeyRing(other)
        assert ring.find(text.encode()) == key
        database.execute("UPDATE rate_limit SET taken = 7")
        wider = replace(TERMS, expires=None, limits=RateLimits(requests=90, concurrent=2))
        changed = change_terms(database, key.id, lambda _: wider, now=AT)
        assert ring.refresh()
        assert ring.find(text.encode()) == changed
    assert every_key(database) == [changed]
    rows = database.execute("SELECT kind, most, taken FROM rate_limit ORDER BY kind").fetchall()
    assert rows == [("concurrent", 2, 0), ("requests", 90, 7)]


@pytest.mark.parametrize(
    "limits", [RateLimits(requests=0), RateLimits(tokens=-1), RateLimits(concurrent=10**10)]
)
def test_a_limit_that_is_none_is_refused_and_nothing_is_changed(
    database: Database, limits: RateLimits
) -> None:
    _, key = create(database, "n", "p", now=AT, terms=TERMS)
    with pytest.raises(BadInput, match="the limit of"):
        change_terms(database, key.id, lambda _: Terms(limits=limits), now=AT)
    assert every_key(database) == [key]
    with pytest.raises(BadInput, match="cannot be read"):
        networks_from(["10.0.0.1/8"])
    with pytest.raises(NotFound):
        change_terms(database, "key_nobody", lambda terms: terms, now=AT)


def test_an_unknown_key_cannot_be_revoked(database: Database) -> None:
    with pytest.raises(NotFound, match="key_nobody"):
        revoke(database, "key_nobody", now=AT)


@pytest.mark.parametrize(
    "bound",
    [
        bound_to(user=" ani", tags={}),
        bound_to(user="a\nb", tags={}),
        bound_to(feature="f" * 257, tags={}),
        bound_to(tags={"plan": ""}),
        bound_to(tags={"": "pro"}),
        bound_to(tags={"a=b": "pro"}),
        bound_to(tags={"plan": "pro,free"}),
        bound_to(tags={"plan": "p" * 254}),
        bound_to(tags={f"t{number}": "1" for number in range(17)}),
    ],
)
def test_a_key_is_bound_only_to_what_a_request_could_say(
    database: Database, bound: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(BadInput):
        create(database, "laptop", "research", now=AT, terms=Terms(bound=bound))
    assert every_key(database) == []


def test_what_a_key_is_bound_to_is_kept_and_known_with_the_next_look(database: Database) -> None:
    ani = Terms(bound=bound_to(user="ani", feature="growth", tags={"plan": "pro"}))
    text, key = create(database, "laptop", "research", now=AT, terms=ani)
    assert every_key(database) == [key]
    assert ani.bound_tags == {"plan": "pro"}
    ring = KeyRing(database)
    budi = replace(ani, bound=bound_to(user="budi", tags={}))
    change_terms(database, key.id, lambda _: budi, now=AT)
    assert ring.refresh()
    found = ring.find(text.encode())
    assert found is not None
    assert found.terms == budi
