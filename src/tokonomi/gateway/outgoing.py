"""What leaves for a provider: the client's own bytes, or the same request in another dialect."""

from typing import Final

import msgspec

from tokonomi.dialects import translate, web_search
from tokonomi.dialects.addresses import path_of
from tokonomi.dialects.destination import Destination, EgressName
from tokonomi.dialects.openai_chat.forms import form_of as form_of_provider
from tokonomi.dialects.refusal import Untranslatable
from tokonomi.dialects.web_search import Searched, SearchSettings
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.endpoints import Endpoint
from tokonomi.gateway.request import ParsedRequest
from tokonomi.gateway.spoken import first_spoken
from tokonomi.providers.adapter import Dialect
from tokonomi.routing.provider import PrefixForm

_LEAST_LIMIT: Final = 4_096
"""The limit of output that is sent where a dialect demands one and neither the client nor a budget
says any."""


class Outgoing(msgspec.Struct, frozen=True):
    """A request as it leaves.

    Attributes:
        dialect: what its answer is read as.
        path: below the provider's base address.
        body: JSON.
        search: how the web is searched for it, where we say so.
    """

    dialect: Dialect
    path: str
    body: bytes
    search: SearchSettings | None = None


class Sold(msgspec.Struct, frozen=True):
    """How a target's model is sold to a request.

    Attributes:
        name: the name that it is sold under, with OpenRouter's suffix where it searches.
        searched: whether it makes the target search the web for a fee that its price does not have.
        search: how the web is searched for it, where we say so.
    """

    name: str
    searched: Searched
    search: SearchSettings | None


def spoken_to(target: Target, endpoint: Endpoint) -> Dialect:
    """What a target is asked in: the client's own dialect where the provider speaks it too."""
    native = endpoint.dialect
    if endpoint.ingress is None or endpoint.ingress in target.speaks:
        return native
    return Dialect(first_spoken(target.provider))


def form_of(target: Target, endpoint: Endpoint) -> PrefixForm:
    """How a target takes the beginning of an answer to a request of this endpoint.

    In OpenAI's responses no provider is known to take one.
    """
    if spoken_to(target, endpoint) is Dialect.OPENAI_RESPONSES:
        return "none"
    return target.terms.prefix or target.provider.prefix


def sold(request: ParsedRequest, target: Target) -> Sold:
    """How a target's model is sold to a request. It reads the request's tools and plugins."""
    search = search_of(request, target)
    openrouter = form_of_provider(target.price_as).search == "openrouter"
    if search is None and not openrouter:
        return Sold(target.model, Searched.AS_SHOWN, None)
    native = request.dialect in target.speaks
    spoken = request.dialect if native else Dialect(first_spoken(target.provider))
    chat = spoken is Dialect.OPENAI_CHAT
    said = search if chat else None
    if said is None and openrouter and native:
        passed = web_search.passed_to_openrouter(request.fields, target.model, chat=chat)
        return Sold(*passed, search)
    if said is None and openrouter and chat and web_search.asks_for_search(request.fields):
        said = SearchSettings()
    if said is None:
        return Sold(target.model, Searched.AS_SHOWN, search)
    name, plugins = web_search.openrouter_model(target.model, said)
    return Sold(name, Searched.CERTAINLY if plugins else Searched.AS_SHOWN, search)


def outgoing(
    request: ParsedRequest,
    endpoint: Endpoint,
    target: Target,
    *,
    search: SearchSettings | None,
    max_tokens: int | None = None,
) -> Outgoing | Untranslatable:
    """The request for a target, or what of it the target's dialect cannot say.

    `search` is how the web is searched for it, where we say so. `max_tokens` is the limit of output
    that its hold was made for, where one is to be sent.
    """
    dialect = spoken_to(target, endpoint)
    if endpoint.ingress is None or dialect is endpoint.dialect:
        path = _native_path(endpoint, target, stream=request.stream)
        fields = None
        if search is not None and dialect is Dialect.OPENAI_CHAT:
            fields = web_search.searching_fields(request.fields, target.model, search)
        body = request.body_for(target.model, max_tokens=max_tokens, fields=fields)
        return Outgoing(dialect, path, body, search)
    spoken = first_spoken(target.provider)
    to = _destination(spoken, target, output_limit=max_tokens, search=search)
    found = translate.request(endpoint.ingress, request.fields, to)
    if isinstance(found, Untranslatable):
        return found
    return Outgoing(dialect, found.path, found.body, search)


def _native_path(endpoint: Endpoint, target: Target, *, stream: bool) -> str:
    if target.provider.dialect != "azure" or endpoint.ingress is None:
        return endpoint.path
    return path_of(_destination(endpoint.ingress, target), stream=stream)


def _destination(
    dialect: EgressName,
    target: Target,
    *,
    output_limit: int | None = None,
    search: SearchSettings | None = None,
) -> Destination:
    return Destination(
        dialect=dialect,
        model=target.model,
        provider=target.price_as,
        max_tokens=_LEAST_LIMIT,
        output_limit=output_limit,
        search=search,
        azure=target.provider.dialect == "azure",
        azure_api_version=target.provider.azure_api_version,
    )


def search_of(request: ParsedRequest, target: Target) -> SearchSettings | None:
    """How the target searches the web for this request, where it was told how."""
    stated = target.terms.web_search
    if stated is None or not web_search.asks_for_search(request.fields):
        return None
    return SearchSettings(stated.engine, stated.max_results)
