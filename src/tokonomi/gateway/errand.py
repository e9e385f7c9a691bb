"""One request of a client, and the attempts that it becomes."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from tokonomi.budgets.rate_limit import UNLIMITED, RateLimits
from tokonomi.calls import Dimensions, Intent
from tokonomi.gateway.aliases import Destination
from tokonomi.gateway.asked import Asked
from tokonomi.gateway.endpoints import Endpoint
from tokonomi.gateway.outgoing import spoken_to
from tokonomi.gateway.request import ParsedRequest
from tokonomi.gateway.settle import Exchange
from tokonomi.providers.registry import adapter_for


class Errand(Struct, frozen=True):
    """A request, understood and allowed to ask, before it goes anywhere.

    Attributes:
        asked: the same as observers see it; the ids of attempts begin with its id.
        at: when it was understood, in UTC.
        dimensions: what people group by; `provider` and `route` are each attempt's own.
        request: the body.
        endpoint: which operation.
        destination: where it may go.
        input_bound: an upper bound of its text, in tokens.
        rate_limits: how fast its key may go.
    """

    asked: Asked
    at: datetime
    dimensions: Dimensions
    request: ParsedRequest
    endpoint: Endpoint
    destination: Destination
    input_bound: int
    rate_limits: RateLimits = UNLIMITED

    def attempt(
        self, number: int, place: int, *, route: str, request: ParsedRequest | None = None
    ) -> Exchange:
        """The attempt of this number, at the target of this place in the chain.

        `request` is what is asked there, where that is more than the client's own.
        """
        target = self.destination.targets[place]
        provider = target.price_as
        asked = self.request if request is None else request
        intent = Intent(
            id=f"{self.asked.id}.{number}",
            at=self.at,
            dimensions=replace(self.dimensions, provider=provider, route=route),
            model=target.model,
            # What was added is text with JSON around it, which bounds its tokens like all text.
            input_bound=self.input_bound + len(asked.body) - len(self.request.body),
        )
        dialect = spoken_to(target, self.endpoint)
        reading = adapter_for(dialect, provider).stream()
        return Exchange(
            intent,
            target,
            asked,
            reading,
            answers=self.endpoint.answers,
            rate_limits=self.rate_limits,
            asked=self.asked,
        )
