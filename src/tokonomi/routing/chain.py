"""The tries of one request: one owner of retries, one deadline, one number of attempts.

A chain is a value. `begin` makes it, `next` says what to do now, `after` notes how that went:

    chain = begin(alias, facts, gates, now=now, draw=draw)
    while isinstance(step := chain.next(gates, now=now, draw=draw), Try):
        ...  # wait until step.not_before, call the target within step.limits
        chain = chain.after(step, failed, sent=whether_content_went_out)

Instants are seconds of any one clock that never goes back. Draws are numbers from 0 up to 1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final, NamedTuple, TypeGuard, assert_never

from msgspec import Struct, structs

from tokonomi.routing.alias import Alias
from tokonomi.routing.breaker import Gate
from tokonomi.routing.failure import Again, Failed, FailureKind, Telling, Then
from tokonomi.routing.provider import Timeouts
from tokonomi.routing.route import FALLBACK, PRIMARY, RouteName

LONGEST_RETRY_AFTER_SECONDS: Final = 10.0
"""A provider that asks for a longer wait is left for the next target."""
FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 4.0
"""A pause doubles from the first to the longest; a draw takes up to half of it away."""

_REFUSES_PREFIX: Final = frozenset(
    {FailureKind.PREFIX_REFUSED, FailureKind.BAD_REQUEST, FailureKind.UNPROCESSABLE}
)
"""How a target says that it does not continue a beginning; not all have words for it."""
_NOT_OF_THE_TARGET: Final = frozenset({FailureKind.CLIENT_LEFT, FailureKind.OWN_STORE})


class Facts(Struct, frozen=True):
    """What is known of one target when a request begins.

    Attributes:
        timeouts: how long it may take: the target's own, else its provider's.
        context_window: of its model, in tokens; None when that is not known.
        carries: whether its dialect can carry the request.
        continues: whether it continues a given beginning of an answer.
    """

    timeouts: Timeouts
    context_window: int | None = None
    carries: bool = True
    continues: bool = False


class How(StrEnum):
    """What a try asks of its target."""

    FRESH = "fresh"
    """The answer; nothing was sent to the client yet."""
    CONTINUE = "continue"
    """The rest of the answer, from what was sent already."""
    RESTART = "restart"
    """The answer from its beginning, to be joined to what was sent already."""


class Limits(Struct, frozen=True):
    """How long one try may take, in seconds; none is longer than what is left of the deadline."""

    connect: float
    first_byte: float
    first_token: float | None
    between_chunks: float
    total: float


class Try(Struct, frozen=True):
    """Call a target.

    Attributes:
        target: its place in the alias.
        attempt: the number of the try in its request, from 1.
        not_before: the instant before which it should not leave.
        limits: how long it may take.
        how: what it asks for.
    """

    target: int
    attempt: int
    not_before: float
    limits: Limits
    how: How = How.FRESH


class Why(StrEnum):
    """Why there is no further try."""

    REFUSED = "refused"
    """The failure ends the request wherever it goes."""
    COMMITTED = "committed"
    """Content has gone out, and the answer cannot be resumed."""
    ATTEMPTS = "attempts"
    """All attempts of the alias are used."""
    DEADLINE = "deadline"
    """The time of the request is over."""
    NO_TARGET = "no_target"
    """No target is left that may be tried; none at all when a person holds every breaker open."""
    NOT_CARRIED = "not_carried"
    """No target's dialect can carry the request; nothing was tried."""


class Stop(Struct, frozen=True):
    """End the request.

    Attributes:
        why: the reason.
        told: the failure that the client is told; None when nothing was tried.
    """

    why: Why
    told: Failed | None = None


class Tried(NamedTuple):
    """A try that failed; `sent` when some of its content went to the client."""

    target: int
    how: How
    failed: Failed
    sent: bool


def begin(
    alias: Alias, facts: Sequence[Facts], gates: Sequence[Gate], *, now: float, draw: float
) -> "Chain":
    """A chain at its beginning; facts and gates stand in the order of the alias's targets.

    >>> from tokonomi.routing.alias import Target
    >>> facts = (Facts(Timeouts()), Facts(Timeouts()))
    >>> alias = Alias(targets=(Target(provider="vercel"), Target(provider="openrouter")))
    >>> gates = (Gate(), Gate())
    >>> chain = begin(alias, facts, gates, now=0.0, draw=0.0)
    >>> first = chain.next(gates, now=0.0, draw=0.0)
    >>> chain = chain.after(first, Failed(FailureKind.UNAVAILABLE, 503), sent=False)
    >>> chain.next(gates, now=1.0, draw=0.0).target
    1
    """
    order = tuple(range(len(alias.targets)))
    if alias.choose == "weighted":
        first = _drawn(alias, [place for place in order if facts[place].carries], gates, draw)
        order = (*first, *(place for place in order if place not in first))
    return Chain(alias, tuple(facts), order, now + alias.deadline_seconds)


def _drawn(
    alias: Alias, places: Sequence[int], gates: Sequence[Gate], draw: float
) -> tuple[int, ...]:
    """The place that a draw hits, by weight, among those that may be called."""
    let = [place for place in places if gates[place].lets] or places
    left = draw * sum(alias.targets[place].weight for place in let)
    for place in let:
        left -= alias.targets[place].weight
        if left < 0:
            return (place,)
    return ()


class Chain(Struct, frozen=True):
    """The state of one request's tries.

    Attributes:
        alias: what the client asked for.
        facts: of each target.
        order: places of the targets, in the order in which they are tried.
        deadline: the instant at which the request is over.
        tried: what failed so far, in order.
    """

    alias: Alias
    facts: tuple[Facts, ...]
    order: tuple[int, ...]
    deadline: float
    tried: tuple[Tried, ...] = ()

    @property
    def committed(self) -> bool:
        """Whether content of a failed try has gone to the client."""
        return any(each.sent for each in self.tried)

    def route(self, target: int) -> RouteName:
        """What rows say of a try: the first choice of this request is its primary.

        With weights that is the target that was drawn: it was meant to serve its share.
        """
        return PRIMARY if target == self.order[0] else FALLBACK

    def after(self, step: Try, failed: Failed, *, sent: bool) -> "Chain":
        """The chain when a try has failed; `sent` when some of its content went to the client."""
        return structs.replace(
            self, tried=(*self.tried, Tried(step.target, step.how, failed, sent))
        )

    def next(self, gates: Sequence[Gate], *, now: float, draw: float) -> Try | Stop:
        """What to do now.

        Args:
            gates: whether each target may be called, as their circuit breakers stand now.
            now: the instant.
            draw: for the pause before the same target is tried again.
        """
        if self.tried and (why := self._ended(self.tried[-1])) is not None:
            return self._stop(why)
        if now >= self.deadline:
            return self._stop(Why.DEADLINE)
        if not self.tried:
            return self._first(gates, now)
        again = self._again(self.tried[-1], gates, now=now, draw=draw)
        return again or self._other(gates, now) or self._stop(Why.NO_TARGET)

    def _ended(self, last: Tried) -> Why | None:
        """Why a failure is the last one, if it is."""
        if last.failed.kind in _NOT_OF_THE_TARGET:
            return Why.REFUSED
        if self.committed:
            refused = last.sent and last.failed.rule.telling is Telling.REQUEST
            if refused or not self.alias.resume:
                return Why.COMMITTED
        elif last.failed.rule.then is Then.STOP:
            return Why.REFUSED
        return Why.ATTEMPTS if len(self.tried) >= self.alias.attempts else None

    def _first(self, gates: Sequence[Gate], now: float) -> Try | Stop:
        """The first try; where every breaker is open, the one that half-opens first is asked.

        One that a person holds open is not asked at all.
        """
        for place in self.order:
            if gates[place].lets and self.facts[place].carries:
                return self._try(place, How.FRESH, not_before=now)
        places = [place for place in self.order if self.facts[place].carries]
        if not places:
            return self._stop(Why.NOT_CARRIED)
        first = min(places, key=lambda place: gates[place].opens_at)
        if gates[first].held:
            return self._stop(Why.NO_TARGET)
        return self._try(first, How.FRESH, not_before=now)

    def _again(self, last: Tried, gates: Sequence[Gate], *, now: float, draw: float) -> Try | None:
        """The same target again, when its failure and its attempts allow that."""
        if _refused_prefix(last):
            return self._try(last.target, How.RESTART, not_before=now)
        tries = sum(each.target == last.target and not _refused_prefix(each) for each in self.tried)
        if tries >= self.alias.targets[last.target].attempts or not gates[last.target].lets:
            return None
        wait = _wait(last.failed, tries, draw)
        if wait is None or now + wait >= self.deadline:
            return None
        return self._try(last.target, self._how(last.target), not_before=now + wait)

    def _other(self, gates: Sequence[Gate], now: float) -> Try | None:
        """The next target that was not tried, may be called and can take the request."""
        for place in self._untried():
            if self.facts[place].carries and gates[place].lets and self._is_larger(place):
                return self._try(place, self._how(place), not_before=now)
        return None

    def _untried(self) -> Iterator[int]:
        known = {each.target for each in self.tried}
        return (place for place in self.order if place not in known)

    def _is_larger(self, place: int) -> bool:
        """Whether a target may take what was too long for others; an unknown window may."""
        window = self.facts[place].context_window
        too_small = (
            self.facts[each.target].context_window or 0
            for each in self.tried
            if each.failed.rule.then is Then.LARGER
        )
        return window is None or window > max(too_small, default=0)

    def _how(self, place: int) -> How:
        if not self.committed:
            return How.FRESH
        refused = any(each.target == place and _refused_prefix(each) for each in self.tried)
        continues = self.facts[place].continues and not refused
        return How.CONTINUE if continues else How.RESTART

    def _try(self, place: int, how: How, *, not_before: float) -> Try:
        limits = self._limits(place, self.deadline - not_before)
        return Try(place, len(self.tried) + 1, not_before, limits, how)

    def _limits(self, place: int, left: float) -> Limits:
        timeouts = self.facts[place].timeouts
        first_token = self.alias.targets[place].first_token_seconds
        return Limits(
            connect=min(timeouts.connect, left),
            first_byte=min(timeouts.first_byte, left),
            first_token=None if first_token is None else min(first_token, left),
            between_chunks=min(timeouts.between_chunks, left),
            total=min(timeouts.total, left),
        )

    def _stop(self, why: Why) -> Stop:
        if not self.tried:
            return Stop(why)
        return Stop(why, self.tried[-1].failed if why is Why.REFUSED else self._told())

    def _told(self) -> Failed:
        """The failure that helps the client most, and not just the last one.

        An answer that broke off is that, whatever its resumption met. Else what the client can
        change goes first, then what passes by waiting; among equals, what the first target said.
        A request that was too long for some target is not too long if a larger one failed besides.
        """
        if self.committed:
            return next(each.failed for each in self.tried if each.sent)
        failures = [each.failed for each in self.tried]
        if failures[-1].rule.then is not Then.LARGER:
            failures = [each for each in failures if each.rule.then is not Then.LARGER]
        told = min(failures, key=lambda failed: failed.rule.telling)
        if told.rule.telling is not Telling.WAIT:
            return told
        waits = [each.retry_after_seconds for each in failures]
        return replace(told, retry_after_seconds=min(filter(_is_known, waits), default=None))


def _is_known(seconds: float | None) -> TypeGuard[float]:
    return seconds is not None


def _refused_prefix(tried: Tried) -> bool:
    return tried.how is How.CONTINUE and not tried.sent and tried.failed.kind in _REFUSES_PREFIX


def _wait(failed: Failed, tries: int, draw: float) -> float | None:
    """How long to wait before the same target is tried again; None when it is not."""
    match failed.rule.again:
        case Again.NO:
            return None
        case Again.AT_ONCE:
            return 0.0
        case Again.RETRY_AFTER if failed.retry_after_seconds is not None:
            asked = failed.retry_after_seconds
            return asked if asked <= LONGEST_RETRY_AFTER_SECONDS else None
        case Again.RETRY_AFTER | Again.BACKOFF:
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (tries - 1), LONGEST_PAUSE_SECONDS)
            return pause * (1 - draw / 2)
        case _:
            assert_never(failed.rule.again)
