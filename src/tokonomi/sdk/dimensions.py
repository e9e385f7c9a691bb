"""What calls are grouped by, said for a stretch of code and not for each call."""

import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, ParamSpec, Self, TypeVar, cast

from tokonomi.calls import LONGEST_VALUE, MOST_TAGS, Dimensions

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a call; an empty text was not said.

    Attributes:
        project: the owner.
        feature: the product feature.
        user: the end user.
        session: the conversation.
        tags: further names and values.
        before: what holds again when this ends.
    """

    project: str = ""
    feature: str = ""
    user: str = ""
    session: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    before: "Said | None" = None

    def over(self, other: "Said") -> "Said":
        """This, and where it says nothing, the other."""
        said = {
            each.name: getattr(self, each.name) or getattr(other, each.name)
            for each in fields(self)
            if each.name in _TEXTS
        }
        return Said(**said, tags={**other.tags, **self.tags})

    def dimensions(self, *, alias: str, provider: str, user: str) -> Dimensions:
        """The dimensions of a call; `user` is the one that its body names."""
        return Dimensions(
            project=self.project,
            feature=self.feature,
            user=self.user or printable(user),
            session=self.session,
            alias=alias,
            provider=provider,
            tags=tuple(sorted(self.tags.items())[:MOST_TAGS]),
        )


_TEXTS: Final = ("project", "feature", "user", "session")
NOTHING: Final = Said()
_now: Final = ContextVar("tokonomi.sdk.labels", default=NOTHING)


def said(
    *,
    project: str = "",
    feature: str = "",
    user: str = "",
    session: str = "",
    tags: Mapping[str, str] | None = None,
) -> Said:
    """What is said, cut to what a row keeps; it never raises, since users' words may stand in it.

    A value has at most 256 characters, all of which print; a call has at most 16 tags.
    """
    return Said(
        project=printable(project),
        feature=printable(feature),
        user=printable(user),
        session=printable(session),
        tags={printable(name): printable(value) for name, value in (tags or {}).items()},
    )


def said_now() -> Said:
    """What holds in this thread or task."""
    return _now.get()


def printable(text: object) -> str:
    """The text as a row keeps it: at most 256 characters, "?" for each that does not print.

    >>> printable("ani" + chr(10)), printable(42)
    ('ani?', '42')
    """
    kept = str(text)[:LONGEST_VALUE]
    return kept if kept.isprintable() else "".join(c if c.isprintable() else "?" for c in kept)


class Labels:
    """Says what calls are grouped by, inside a `with` block or a decorated function.

    What is said holds for the thread or task, and for the tasks that it starts; inner blocks add to
    outer ones. One object can be used many times, also at once.
    """

    def __init__(self, inner: Said) -> None:
        self._inner = inner

    def __enter__(self) -> Self:
        outer = _now.get()
        _now.set(replace(self._inner.over(outer), before=outer))
        return self

    def __exit__(self, *_: object) -> None:
        _now.set(_now.get().before or NOTHING)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, with these labels while it runs; `async` functions too."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", later)

        @functools.wraps(function)
        def labelled(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return function(*args, **kwargs)

        return labelled


def labels(
    *,
    project: str = "",
    feature: str = "",
    user: str = "",
    session: str = "",
    tags: Mapping[str, str] | None = None,
) -> Labels:
    """Labels for a `with` block, or for a function as its decorator.

    They are stronger than what `track` was told, and inner ones stronger than outer ones.

    >>> with labels(feature="summary", tags={"tenant": "a"}), labels(user="ani"):
    ...     now = said_now()
    >>> now.feature, now.user, now.tags
    ('summary', 'ani', {'tenant': 'a'})
    """
    return Labels(said(project=project, feature=feature, user=user, session=session, tags=tags))
