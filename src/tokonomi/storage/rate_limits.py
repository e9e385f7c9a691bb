"""Limits of keys in the store, inside the transaction that begins and ends calls.

The rules are pure and live in `budgets.rate_limit`; here they meet fresh, locked rows. So a limit
is exact over all workers and hosts on one store, and a group of calls whose keys have no limits
runs no statement for them.
"""

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import Final

from tokonomi.budgets.rate_limit import (
    KINDS,
    Bucket,
    Kind,
    RateClaim,
    RateLimits,
    RateRefusal,
    Standing,
    refusal,
    too_many_at_once,
    used_tokens,
)
from tokonomi.calls import Call, Intent
from tokonomi.storage.database import Database, Row

_LOCKED: Final = "SELECT key_id, kind, most, taken, at_us FROM rate_limit WHERE key_id IN"
_UPDATE: Final = "UPDATE rate_limit SET taken = ?, at_us = ? WHERE key_id = ? AND kind = ?"

Standings = MutableMapping[str, tuple[Standing, ...]]
"""Key id -> its limits as they were last seen."""


class RatesOfGroup:
    """The limits that a group of calls touches: locked, read once, and written once.

    `ended` first, with what ends of calls give back; then `lock`, `take`, `void` and `write`. Rows
    are locked in one statement in the order of keys, before those of accounts.
    """

    def __init__(self, database: Database, *, at_us: int) -> None:
        self._database = database
        self._at_us = at_us
        self._unused: dict[str, int] = {}
        self._ended: set[str] = set()
        self._stored: dict[tuple[str, Kind], Bucket] = {}
        self._buckets: dict[tuple[str, Kind], Bucket] = {}
        self._running: dict[str, int] = {}

    def ended(self, attempts: Sequence[Row], calls: Mapping[str, Call]) -> None:
        """Takes note of attempts that are over: rows of id, key and tokens held."""
        for attempt, key_id, held in attempts:
            if key_id is not None:
                self._ended.add(key_id)
                unused = held - used_tokens(calls[attempt], held)
                self._unused[key_id] = self._unused.get(key_id, 0) + unused

    def lock(self, claims: Sequence[RateClaim | None]) -> None:
        """Locks and reads the limits of all keys that have some, and gives back what is unused."""
        claiming = {claim.key_id for claim in claims if claim is not None}
        keys = sorted(claiming | self._ended)
        if not keys:
            return
        lock = " FOR UPDATE" if self._database.dialect == "postgresql" else ""
        rows = self._database.execute(
            f"{_LOCKED} ({_marks(keys)}) ORDER BY key_id, kind{lock}", keys
        ).fetchall()
        for key_id, kind, most, taken, at_us in rows:
            self._stored[key_id, kind] = Bucket(most, taken, at_us)
            bucket = Bucket(most, taken, at_us).at(self._at_us)
            unused = self._unused.get(key_id, 0) if kind == "tokens" else 0
            self._buckets[key_id, kind] = bucket.take(-unused) if unused else bucket
        counted = sorted({key_id for key_id, kind in self._stored if kind == "concurrent"})
        if counted:
            self._running = _running(self._database, counted)

    def take(self, intent: Intent, claim: RateClaim | None) -> RateRefusal | None:
        """Why a call may not begin; None when it may, and what it claims is taken.

        Only a request's first attempt is refused, and counts as a request. A later one goes on with
        what was let in: its tokens are taken, also beyond what is left.
        """
        if claim is None:
            return None
        first = intent.attempt == 1
        needs: tuple[tuple[Kind, int], ...] = (("requests", int(first)), ("tokens", claim.tokens))
        if first and (refused := self._refused(claim.key_id, needs)) is not None:
            return refused
        for kind, units in needs:
            self._change(claim.key_id, kind, units)
        if claim.key_id in self._running:
            self._running[claim.key_id] += 1
        return None

    def void(self, claim: RateClaim | None) -> None:
        """Gives back the tokens of a call that a budget or a wallet refused.

        The request has been one all the same.
        """
        if claim is not None:
            self._change(claim.key_id, "tokens", -claim.tokens)
            if claim.key_id in self._running:
                self._running[claim.key_id] -= 1

    def write(self, standings: Standings | None) -> None:
        """Stores what has changed; `standings` then hold what is left."""
        changed = [
            (bucket.taken, bucket.at_us, key_id, kind)
            for (key_id, kind), bucket in self._buckets.items()
            if kind != "concurrent" and bucket != self._stored[key_id, kind]
        ]
        if changed:
            self._database.executemany(_UPDATE, changed)
        if standings is not None:
            for key_id in {key_id for key_id, _ in self._buckets}:
                standings[key_id] = self._standing(key_id)

    def _refused(self, key_id: str, needs: Sequence[tuple[Kind, int]]) -> RateRefusal | None:
        limit = self._buckets.get((key_id, "concurrent"))
        if limit is not None:
            refused = too_many_at_once(key_id, limit.most, self._running.get(key_id, 0))
            if refused is not None:
                return refused
        for kind, units in needs:
            bucket = self._buckets.get((key_id, kind))
            if bucket is not None and (refused := refusal(key_id, bucket, kind, units)) is not None:
                return refused
        return None

    def _change(self, key_id: str, kind: Kind, units: int) -> None:
        bucket = self._buckets.get((key_id, kind))
        if bucket is not None:
            self._buckets[key_id, kind] = bucket.take(units)

    def _standing(self, key_id: str) -> tuple[Standing, ...]:
        found: list[Standing] = []
        for kind in KINDS:
            bucket = self._buckets.get((key_id, kind))
            if bucket is None:
                continue
            if kind == "concurrent":
                left = max(bucket.most - self._running.get(key_id, 0), 0)
                found.append(Standing(kind, bucket.most, left))
            else:
                found.append(Standing(kind, bucket.most, bucket.left, bucket.full_us))
        return tuple(found)


def limits_of_keys(database: Database) -> dict[str, RateLimits]:
    """The limits of every key that has some."""
    found: dict[str, dict[str, int]] = {}
    for key_id, kind, most in database.execute("SELECT key_id, kind, most FROM rate_limit"):
        found.setdefault(key_id, {})[kind] = most
    return {key_id: RateLimits(**limits) for key_id, limits in found.items()}


def set_limits(database: Database, key_id: str, limits: RateLimits) -> None:
    """Sets the limits of a key, in the caller's transaction; what is taken of them stays taken."""
    stated: Mapping[Kind, int | None] = {
        "requests": limits.requests,
        "tokens": limits.tokens,
        "concurrent": limits.concurrent,
    }
    for kind, most in stated.items():
        if most is None:
            database.execute("DELETE FROM rate_limit WHERE key_id = ? AND kind = ?", (key_id, kind))
        else:
            database.execute(
                "INSERT INTO rate_limit (key_id, kind, most) VALUES (?, ?, ?)"
                " ON CONFLICT (key_id, kind) DO UPDATE SET most = excluded.most",
                (key_id, kind, most),
            )


def _running(database: Database, keys: Sequence[str]) -> dict[str, int]:
    """How many attempts of each key are in flight, those that end now already gone."""
    rows = database.execute(
        f"SELECT limited_key, count(*) FROM attempt WHERE limited_key IN ({_marks(keys)})"  # noqa: S608 - marks only
        " GROUP BY limited_key",
        keys,
    )
    return dict.fromkeys(keys, 0) | {row[0]: row[1] for row in rows}


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
