"""A second view of an http client: one state with the first, and a `send` that is metered.

Both SDKs send every attempt of every method (create, stream, parse, raw responses, retries) through
`send` of an `httpx.Client`, of `httpx` or its successor `httpx2`. So a client is tracked by giving
it a view of its own http client: an object of a subclass of its very class that shares its
`__dict__`. Connections, cookies, hooks, timeouts and whether it is closed are the same for both,
methods of the caller's own subclass stay, and neither package is imported here.

Bodies are seen in the same way: the reply's stream gets a view that tells what passes by. Bytes go
on as they came, piece by piece.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Self, TypeVar, cast

from tokonomi.sdk.border import BORDER
from tokonomi.sdk.exchange import Exchange
from tokonomi.sdk.meter import Meter

T = TypeVar("T")
_MARK: Final = "tokonomi_tracking"
_EXCHANGE: Final = "tokonomi_exchange"
_PIECES: Final = "tokonomi_pieces"


@dataclass(frozen=True, slots=True)
class Tracking:
    """What the class of a view knows."""

    original: object
    meter: Meter


def metered(http_client: object, meter: Meter) -> object:
    """A view of the http client whose requests are metered."""
    kind = type(http_client)
    is_async = hasattr(kind, "aclose")
    namespace: dict[str, object] = {
        _MARK: Tracking(http_client, meter),
        "send": _async_send(kind, meter) if is_async else _send(kind, meter),
        # The first view closes itself when nobody holds it any more; this one holds it.
        "__del__": _nothing,
    }
    return _view(http_client, type(f"Metered{kind.__name__}", (kind,), namespace))


def _nothing(_: object) -> None:
    """What this view does when it goes."""


def tracking_of(http_client: object) -> Tracking | None:
    """What is known of a view that `metered` made; None for any other http client."""
    return getattr(type(http_client), _MARK, None)


def _view(original: T, kind: type[T]) -> T:
    view = object.__new__(kind)
    view.__dict__ = original.__dict__
    return view


# What follows speaks with objects of httpx and httpx2, whose types are not known here.
def _send(kind: Any, meter: Meter) -> Callable[..., Any]:
    def send(self: Any, request: Any, *, stream: bool = False, **options: Any) -> Any:
        exchange = meter.begin(request)
        if exchange is None:
            return kind.send(self, request, stream=stream, **options)
        try:
            # The body is read here instead of in there, so that it is seen when it breaks off too.
            response = kind.send(self, request, stream=True, **options)
        except BaseException as error:
            exchange.failed(error)
            raise
        _watch(response, exchange, _stream_kind)
        if not stream:
            try:
                response.read()
            except BaseException:
                response.close()
                raise
        return response

    return send


def _async_send(kind: Any, meter: Meter) -> Callable[..., Any]:
    async def send(self: Any, request: Any, *, stream: bool = False, **options: Any) -> Any:
        exchange = meter.begin(request)
        if exchange is None:
            return await kind.send(self, request, stream=stream, **options)
        try:
            response = await kind.send(self, request, stream=True, **options)
        except BaseException as error:
            exchange.failed(error)
            raise
        _watch(response, exchange, _async_stream_kind)
        if not stream:
            try:
                await response.aread()
            except BaseException:
                await response.aclose()
                raise
        return response

    return send


def _watch(response: Any, exchange: Exchange, stream_kind: Callable[[type], type]) -> None:
    """From here on the exchange sees what the caller reads."""

    def decoded(body: bytes) -> bytes:
        encoding = {"content-encoding": response.headers["content-encoding"]}
        return cast("bytes", type(response)(200, headers=encoding, content=body).content)

    with BORDER.around("watching an answer"):
        exchange.answered(response.status_code, response.headers, decoded)
        if response.is_closed:
            # A hook of the caller's has read it already.
            exchange.answered(response.status_code, _without_encoding(response), decoded)
            exchange.took(response.content)
            exchange.took_all()
            return
        view = _view(response.stream, stream_kind(response.stream.__class__))
        setattr(view, _EXCHANGE, exchange)
        response.stream = view


def _without_encoding(response: Any) -> dict[str, str]:
    return {"content-type": response.headers.get("content-type", "")}


@cache
def _stream_kind(kind: Any) -> type:
    """The class of a view of a reply's stream."""

    def __iter__(self: Any) -> Iterator[bytes]:  # noqa: N807 - it becomes the method of that name
        exchange: Exchange = getattr(self, _EXCHANGE)
        try:
            for piece in kind.__iter__(self):
                exchange.took(piece)
                yield piece
        except BaseException as error:
            exchange.broke(error)
            raise
        exchange.took_all()

    def close(self: Any) -> None:
        try:
            kind.close(self)
        finally:
            _left(self)

    namespace = {"__iter__": __iter__, "close": close, "__del__": _left}
    return type(f"Metered{kind.__name__}", (kind,), namespace)


@cache
def _async_stream_kind(kind: Any) -> type:
    """The class of a view of a reply's stream, for an async client."""

    def __aiter__(self: Any) -> AsyncIterator[bytes]:  # noqa: N807 - as above
        pieces = _Pieces(kind.__aiter__(self), getattr(self, _EXCHANGE))
        setattr(self, _PIECES, pieces)
        return pieces

    async def aclose(self: Any) -> None:
        try:
            pieces: _Pieces | None = getattr(self, _PIECES, None)
            if pieces is not None:
                await pieces.aclose()
            await kind.aclose(self)
        finally:
            _left(self)

    namespace = {"__aiter__": __aiter__, "aclose": aclose, "__del__": _left}
    return type(f"Metered{kind.__name__}", (kind,), namespace)


class _Pieces:
    """The pieces of a body, for one who reads them as they come.

    It is no generator: a loop that ends closes all generators at once, in any order, and those that
    close one another complain. It shall not find one more because of us.
    """

    __slots__ = ("_exchange", "_pieces")

    def __init__(self, pieces: AsyncIterator[bytes], exchange: Exchange) -> None:
        self._pieces = pieces
        self._exchange = exchange

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._exchange.took_all()
            raise
        except BaseException as error:
            self._exchange.broke(error)
            raise
        self._exchange.took(piece)
        return piece

    async def aclose(self) -> None:
        """Closes what the pieces come from, as whoever reads them would without us."""
        pieces: object = self._pieces
        if isinstance(pieces, AsyncGenerator):
            await cast("AsyncGenerator[bytes]", pieces).aclose()


def _left(stream: Any) -> None:
    exchange = stream.__dict__.get(_EXCHANGE)
    if isinstance(exchange, Exchange):
        exchange.left()
