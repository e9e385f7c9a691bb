"""Scopes: which requests a budget binds, and whose budget it is then."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tokonomi.calls import TAG_PREFIX, Dimensions
from tokonomi.errors import BadInput
from tokonomi.naming import escaped, meant, unescaped

ORGANISATION: Final = "organisation"
PROJECT: Final = "project"
MODEL: Final = "model"
PROVIDER: Final = "provider"
ROUTE: Final = "route"
SCOPE_NAMES: Final = (
    ORGANISATION,
    PROJECT,
    "feature",
    "user",
    "key",
    MODEL,
    PROVIDER,
    ROUTE,
)
"""What a scope may name, beside `tag:NAME`."""

_SAID_BY_CLIENTS: Final = ("feature", "user")
"""Names whose values clients choose, beside `tag:NAME`: they mean something in a project alone."""
_TELLS_PROJECTS_APART: Final = (ORGANISATION, PROJECT, "key")

EVERYBODY: Final = "all"
"""The subject of a budget that all its requests share."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One way that a request may take: the provider that is asked, and its id of the model.

    `name` is `primary` or `fallback`, or empty where a request has no choice of targets.
    """

    model: str
    provider: str
    name: str = ""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests a budget binds.

    Attributes:
        only: names with the value that each must have, in the order of the names; all must hold.
        each: names of which every value has a budget of its own, in order.

    Raises:
        BadInput: an unknown name, a name in both, an empty value, or names out of order.
    """

    only: tuple[tuple[str, str], ...] = ()
    each: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        named = [*(name for name, _ in self.only), *self.each]
        for name in named:
            _check_name(name)
        if len(set(named)) < len(named):
            twice = sorted({name for name in named if named.count(name) > 1})
            raise BadInput(
                f"the scope names {', '.join(twice)} twice",
                remedy="Give one value, or say that each value has its own budget; not both.",
            )
        if empty := [name for name, value in self.only if not value]:
            raise BadInput(
                f"the scope gives {empty[0]} an empty value",
                remedy="Write the value, or leave the name out to bind every value together.",
            )
        if self.only != tuple(sorted(self.only)) or self.each != tuple(sorted(self.each)):
            raise BadInput("the names of a scope are not in order", remedy="Use Scope.of.")

    @classmethod
    def of(cls, only: Mapping[str, str] | None = None, each: Sequence[str] = ()) -> "Scope":
        """The scope with these names, put in order."""
        return cls(only=tuple(sorted((only or {}).items())), each=tuple(sorted(each)))

    @property
    def within_projects(self) -> "Scope":
        """The scope that counts every project apart, where it names what clients say.

        Two projects may have users, features or tags of one name that are not the same. A scope
        that names the organisation, the project or the key says already whose they are.

        >>> Scope.of(each=["user"]).within_projects.each
        ('project', 'user')
        >>> Scope.of(each=["model"]).within_projects.each
        ('model',)
        """
        named = [*(name for name, _ in self.only), *self.each]
        said = any(name in _SAID_BY_CLIENTS or name.startswith(TAG_PREFIX) for name in named)
        if not said or any(name in _TELLS_PROJECTS_APART for name in named):
            return self
        return Scope(only=self.only, each=tuple(sorted((*self.each, PROJECT))))


def _check_name(name: str) -> None:
    if name in SCOPE_NAMES or (name.startswith(TAG_PREFIX) and name != TAG_PREFIX):
        return
    raise BadInput(
        f'a budget cannot be scoped by "{name}"', remedy=meant(name, [*SCOPE_NAMES, "tag:NAME"])
    )


def subject_of(
    scope: Scope, dimensions: Dimensions, *, route: Route, organisation: str = ""
) -> str | None:
    """Whose budget a request draws on, or None when the scope does not bind it.

    The subject spells the values of the scope's `each`, in order of their names, so that two
    different lists of values never have the same subject. A request that does not give a value of
    `each` shares one budget with all others that do not: leaving a name out is no way past a limit.

    Args:
        scope: the budget's scope.
        dimensions: what the request says of itself.
        route: the model and the provider that it may go to.
        organisation: the owner of the request's project, where there is one.

    >>> growth = Scope.of({"feature": "growth"}, each=["user", "tag:plan"])
    >>> asked = Dimensions(feature="growth", user="ani:1", tags=(("plan", "pro"),))
    >>> subject_of(growth, asked, route=Route(model="gpt-5.1", provider="openrouter"))
    'tag.plan=pro,user=ani%3A1'
    """

    def value_of(name: str) -> str:
        if name == ORGANISATION:
            return organisation
        if name == MODEL:
            return route.model
        if name == PROVIDER:
            return route.provider
        if name == ROUTE:
            return route.name
        return dimensions.named(name)

    if any(value_of(name) != value for name, value in scope.only):
        return None
    return _subject([(name, value_of(name)) for name in scope.each])


def subjects_over_routes(
    scope: Scope, dimensions: Dimensions, *, routes: Sequence[Route], organisation: str = ""
) -> dict[str, tuple[int, ...]]:
    """Every subject that a request may draw on, with the places of the routes that do so.

    A request with fallbacks does not know yet which provider will serve it, so a budget of one
    provider or model holds the worst case of those routes alone, and captures only if one served.

    >>> routes = [Route(model="gpt-5.1", provider="openai"), Route(model="r1", provider="deepseek"),
    ...           Route(model="gpt-5.1", provider="azure")]
    >>> subjects_over_routes(Scope.of(each=["model"]), Dimensions(), routes=routes)
    {'model=gpt-5.1': (0, 2), 'model=r1': (1,)}
    """
    places: dict[str, tuple[int, ...]] = {}
    for place, route in enumerate(routes):
        subject = subject_of(scope, dimensions, route=route, organisation=organisation)
        if subject is not None:
            places[subject] = (*places.get(subject, ()), place)
    return places


def _subject(values: Sequence[tuple[str, str]]) -> str:
    if not values:
        return EVERYBODY
    return ",".join(f"{_spelt(name)}={escaped(value)}" for name, value in values)


def _spelt(name: str) -> str:
    if not name.startswith(TAG_PREFIX):
        return name
    return f"tag.{escaped(name.removeprefix(TAG_PREFIX))}"


def values_of(subject: str) -> tuple[tuple[str, str], ...]:
    """The names and values that a subject spells; none for the budget that everybody shares.

    >>> values_of("tag.plan=pro,user=ani%3A1")
    (('tag:plan', 'pro'), ('user', 'ani:1'))
    """
    if subject == EVERYBODY:
        return ()
    pairs = (part.partition("=") for part in subject.split(","))
    return tuple((_read_name(name), unescaped(value)) for name, _, value in pairs)


def _read_name(spelt: str) -> str:
    if spelt in SCOPE_NAMES:
        return spelt
    return f"{TAG_PREFIX}{unescaped(spelt.removeprefix('tag.'))}"
