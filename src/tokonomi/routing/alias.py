"""A model name of clients, and the chain of targets that it stands for."""

from typing import Literal

from tokonomi.routing.provider import PrefixForm, Section, Timeouts

Choose = Literal["ordered", "weighted"]


class WebSearch(Section, frozen=True):
    """How a target searches the web for a request that asks for it.

    Attributes:
        engine: OpenRouter's engine, such as `auto`, `native` or `exa`.
        max_results: results that a search may bring, at most.
    """

    engine: str = "auto"
    max_results: int = 5


class Target(Section, frozen=True):
    """One place where a request may go.

    Attributes:
        provider: the name of a provider.
        model: the provider's name of the model. When empty it is the alias itself; for an alias
            that ends with `*` it is what the star stands for.
        attempts: how often it is tried in one request, at most.
        weight: its share of the first tries, for `choose = "weighted"`.
        timeouts: in place of the provider's.
        first_token_seconds: the longest wait for the first content; then the next target is tried.
        context_window: of its model, in tokens, where the price book does not know it.
        prefix: in place of the provider's, since it depends on the model.
        web_search: how it searches the web; left out, the request's own fields go through.
    """

    provider: str
    model: str = ""
    attempts: int = 1
    weight: int = 1
    timeouts: Timeouts | None = None
    first_token_seconds: float | None = None
    context_window: int | None = None
    prefix: PrefixForm | None = None
    web_search: WebSearch | None = None


class Alias(Section, frozen=True):
    """A model name of clients.

    Attributes:
        targets: the chain, in the order in which it is tried.
        choose: `ordered` begins with the first; `weighted` draws the first by weight, and the
            others follow in their order.
        attempts: tries of one request over all targets, at most.
        deadline_seconds: for all tries of one request together.
        resume: whether an answer that broke off is continued by the next target.
    """

    targets: tuple[Target, ...]
    choose: Choose = "ordered"
    attempts: int = 4
    deadline_seconds: float = 900.0
    resume: bool = False
