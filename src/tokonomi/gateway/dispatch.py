"""One request on its way through its chain of targets, until one of them answers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec.structs import replace

from tokonomi.budgets.hold_size import Refused
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.allowance import Allowance
from tokonomi.gateway.answer import Receive, Send, cost_comment, cost_headers
from tokonomi.gateway.attempts import Attempts
from tokonomi.gateway.bookkeeping import Bookkeeper, HandedOver
from tokonomi.gateway.carriage import untold
from tokonomi.gateway.claims import allowance
from tokonomi.gateway.delivery import Delivery
from tokonomi.gateway.errand import Errand
from tokonomi.gateway.failures import AttemptFailed, Failure
from tokonomi.gateway.fallback_log import Alarms, tell_switch
from tokonomi.gateway.outgoing import Outgoing, outgoing
from tokonomi.gateway.provider_answer import ending_of, noted
from tokonomi.gateway.refusals import refused_by_rule
from tokonomi.gateway.resuming import Resuming
from tokonomi.gateway.settle import Exchange
from tokonomi.gateway.targets import Targets
from tokonomi.gateway.watch import Ended, Reason, Watch
from tokonomi.gateway.wire_errors import PROVIDER, WireError
from tokonomi.routing.chain import Stop, Try, Why, begin
from tokonomi.routing.failure import Failed, Health
from tokonomi.routing.route import FALLBACK

_LEEWAY_SECONDS: Final = 1.0


class _Fallen(NamedTuple):
    """An attempt that failed, its row, and whether some of its answer went to the client."""

    target: Target
    failure: Failure
    ended: HandedOver
    sent: bool


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """What every request needs on its way out and back."""

    attempts: Attempts
    targets: Targets
    draw: Callable[[], float]
    alarms: Alarms = field(default_factory=Alarms)

    @property
    def books(self) -> Bookkeeper:
        """Who writes the attempts."""
        return self.attempts.books

    def tell_alarm(self, exchange: Exchange, failure: Failure, *, now: float) -> None:
        """Writes that the target of an attempt serves nobody, where that is so and is news."""
        upstream = self.attempts.upstreams[exchange.target.name]
        self.alarms.tell(exchange, failure.alarming, upstream, now=now)

    def run(self, errand: Errand, watch: Watch, *, send: Send, receive: Receive) -> Awaitable[None]:
        """Answers one request; when this is done or raises, each of its attempts has its row.

        Raises:
            WireError: nothing was sent to the client yet, and this is to be its answer.
        """
        return _Journey(self, errand, watch, Delivery(send)).run(receive)


class _Journey:
    """The attempts of one request, one after the other."""

    __slots__ = (
        "_books",
        "_by",
        "_chain",
        "_delivery",
        "_errand",
        "_exchange",
        "_failure",
        "_fallen",
        "_first",
        "_resuming",
        "_sent",
        "_watch",
    )

    def __init__(self, by: Dispatcher, errand: Errand, watch: Watch, delivery: Delivery) -> None:
        self._by = by
        self._books = by.attempts.books
        self._errand = errand
        self._watch = watch
        self._delivery = delivery
        facts, gates = by.targets.of(errand)
        now, draw = watch.now, by.draw()
        self._chain = begin(errand.destination.terms, facts, gates, now=now, draw=draw)
        self._first = self._chain.next(gates, now=now, draw=draw)
        self._fallen: list[_Fallen] = []
        self._exchange: Exchange | None = None
        self._failure: Failure | None = None
        self._sent = False
        self._resuming = Resuming.of(errand)

    async def run(self, receive: Receive) -> None:
        """Goes from target to target until one answers, or none is left."""
        step = self._first
        try:
            while isinstance(step, Try):
                exchange, out = await self._leave(step)
                if not self._fallen:
                    self._watch.listen(receive)
                try:
                    await self._try(exchange, out)
                except AttemptFailed as failed:
                    self._fail(step, failed)
                    step = await self._next()
                else:
                    return
            await self._stop(step)
        except WireError as error:
            if self._resuming is None or not self._delivery.committed:
                raise
            await self._break_off(self._resuming, f" It was not resumed: {error.message}")
        finally:
            # Whatever ended the request, its last attempt must not stay open.
            if self._exchange is not None:
                self._books.abandon(self._exchange)

    def _fail(self, step: Try, failed: AttemptFailed) -> None:
        """Takes note of an attempt that failed."""
        self._failure, self._sent = failed.failure, failed.sent
        if self._resuming is not None:
            self._resuming.breaks_off(step, sent=failed.sent)
        self._chain = self._chain.after(step, failed.failure.failed, sent=failed.sent)

    async def _stop(self, stop: Stop) -> None:
        """Tells the client why no target answers."""
        if stop.why is Why.NOT_CARRIED:
            raise self._by.targets.cannot_carry(self._errand)
        if not self._chain.tried:
            raise _none_may_be_called(self._errand)
        await self._give_up(stop.told)

    async def _try(self, exchange: Exchange, out: Outgoing) -> None:
        """Makes an attempt, and tells the breaker of its target how that went."""
        breakers = self._by.targets.breakers
        visit, health = breakers.enter(exchange.target.breaker), Health.SILENT
        try:
            broken = await self._by.attempts.make(
                self._errand.endpoint,
                exchange,
                self._watch,
                self._delivery,
                out=out,
                joined=self._resuming and self._resuming.joined,
            )
            health = Health.ALIVE if broken is None else self._judged(exchange, broken)
        except AttemptFailed as failed:
            health = self._judged(exchange, failed.failure)
            raise
        finally:
            breakers.leave(visit, health)

    def _judged(self, exchange: Exchange, failure: Failure) -> Health:
        """What a failure tells the breaker; the operator is told where it is an alarm."""
        self._by.tell_alarm(exchange, failure, now=self._watch.now)
        return failure.failed.rule.health

    async def _next(self) -> Try | Stop:
        """Where the request goes after a failure, when it is time to go there."""
        assert self._failure is not None, "an attempt failed"
        gone = Stop(Why.REFUSED, self._failure.failed)
        if self._watch.unattended:
            return gone
        self._watch.begin_anew()
        gates = self._by.targets.gates(self._errand.destination)
        step = self._chain.next(gates, now=self._watch.now, draw=self._by.draw())
        if isinstance(step, Try) and self._delivery.committed and not self._takes_up(step):
            return Stop(Why.COMMITTED, self._failure.failed)
        if isinstance(step, Stop) or (wait := step.not_before - self._watch.now) <= 0:
            return step
        self._watch.limit_total(wait + _LEEWAY_SECONDS)
        self._watch.limit(wait + _LEEWAY_SECONDS, Reason.TOTAL)
        try:
            with self._watch:
                await asyncio.sleep(wait)
        except Ended:
            return gone
        return step

    def _takes_up(self, step: Try) -> bool:
        assert self._resuming is not None, "else an answer that has begun is the only one"
        return self._resuming.takes_up(step)

    async def _leave(self, step: Try) -> tuple[Exchange, Outgoing]:
        """The next attempt and what leaves for it, when it is durable and may leave.

        The end of the attempt before it is written in the same transaction, so what that one held
        cannot be taken by others in between.
        """
        route = self._chain.route(step.target)
        request = None if self._resuming is None else self._resuming.request()
        exchange = self._errand.attempt(step.attempt, step.target, route=route, request=request)
        allowed = self._allowed(exchange)
        then = None if isinstance(allowed, Refused) else step
        ended = self._fall(then) if self._failure is not None else None
        if isinstance(allowed, Refused):
            if ended is not None:
                await self._kept(ended)
            raise refused_by_rule(allowed)
        if allowed.worst_case is not None:
            exchange.intent = replace(exchange.intent, worst_case=allowed.worst_case)
        beginning = self._books.begin(exchange, allowed, alone=ended is None and self._alone)
        out = self._outgoing(exchange, allowed)
        if ended is not None:
            await self._kept(ended)
        await self._books.begun(exchange, allowed, beginning)
        self._exchange = exchange
        if ended is not None and self._delivery.committed:
            await self._delivery.write(cost_comment(ended.call), content=False)
        if self._failure is None:
            if route == FALLBACK:
                tell_switch(exchange, None, out.search)
        elif exchange.target is not self._fallen[-1].target:
            tell_switch(exchange, self._failure.failed, out.search)
        exchange.patience = step.limits
        self._watch.limit_total(step.limits.total)
        return exchange, out

    def _outgoing(self, exchange: Exchange, allowed: Allowance) -> Outgoing:
        out = outgoing(
            exchange.request,
            self._errand.endpoint,
            exchange.target,
            search=exchange.sold.search,
            max_tokens=allowed.send_max_tokens,
        )
        assert isinstance(out, Outgoing), "the chain goes only where the request can be carried"
        return out if self._resuming is None else self._resuming.addressed(out)

    def _allowed(self, exchange: Exchange) -> Allowance | Refused:
        targets, tried = self._errand.destination.targets, self._chain.tried
        if tried:
            places = {each.target for each in tried}
            targets = [target for place, target in enumerate(targets) if place not in places]
        reachable = [exchange.target, *targets]
        most = self._errand.destination.terms.attempts - len(tried)
        return allowance(
            self._books.rules.now,
            exchange,
            self._books.book,
            reachable=reachable,
            billed_attempts=1 if self._resuming is None else most,
        )

    @property
    def _alone(self) -> bool:
        return self._books.metrics.in_flight == 1

    def _fall(self, then: Try | None = None) -> HandedOver:
        """The row of the attempt that failed, on its way to the store; `then` comes after it."""
        assert self._exchange is not None, "an attempt was made"
        assert self._failure is not None, "and failed"
        ending = ending_of(self._failure, self._watch)
        if self._resuming is not None:
            ending = noted(ending, self._resuming.note(then))
        ended = self._books.hand_over(self._exchange, ending, alone=then is None and self._alone)
        self._fallen.append(_Fallen(self._exchange.target, self._failure, ended, self._sent))
        return ended

    async def _kept(self, ended: HandedOver) -> None:
        assert self._exchange is not None, "an attempt ended"
        await self._books.until_kept(self._exchange, ended)

    async def _give_up(self, told: Failed | None) -> None:
        """Records the last attempt, and gives the client the most useful of all failures."""
        await self._kept(self._fall())
        if self._resuming is not None and self._delivery.committed:
            comment = cost_comment(self._fallen[-1].ended.call)
            await self._break_off(self._resuming, comment=comment)
            return
        fallen = self._told(told)
        passable = fallen.failure.passable
        if passable is None:
            raise fallen.failure.answer
        headers = cost_headers(fallen.ended.call) + passable.headers
        await self._delivery.whole(passable.status, headers, passable.body)

    async def _break_off(self, resuming: Resuming, why: str = "", *, comment: bytes = b"") -> None:
        """Ends an answer of which the client has a part, whatever its resumption met."""
        broken = next(each for each in self._fallen if each.sent)
        told = untold(broken.failure.answer)
        told = replace(told, message=told.message + why)
        await self._delivery.end(resuming.joined.fail(told) + comment)

    def _told(self, told: Failed | None) -> _Fallen:
        same = (it for it in self._fallen if told and it.failure.failed.kind is told.kind)
        return next(same, self._fallen[-1])


def _none_may_be_called(errand: Errand) -> WireError:
    """The answer where every target is held open by hand."""
    return WireError(
        503,
        "no_target",
        f"Every target of {errand.destination.label!r} is taken out of service by hand. See"
        " `tokonomi breakers list`; `tokonomi breakers close` puts one back.",
        kind=PROVIDER,
    )
