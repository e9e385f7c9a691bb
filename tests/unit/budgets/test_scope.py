"""Which requests a budget binds, and whose budget it is."""

import pytest

from tokonomi.budgets.scope import (
    EVERYBODY,
    Route,
    Scope,
    subject_of,
    subjects_over_routes,
    values_of,
)
from tokonomi.calls import Dimensions
from tokonomi.errors import BadInput

ROUTE = Route(model="openai/gpt-5.1", provider="openrouter")
ANI = Dimensions(
    project="paper-app",
    feature="growth",
    user="ani",
    key_id="key-1",
    tags=(("plan", "pro"), ("document", "d:7")),
)


def subject(scope: Scope, dimensions: Dimensions = ANI, organisation: str = "") -> str | None:
    return subject_of(scope, dimensions, route=ROUTE, organisation=organisation)


def test_a_scope_without_names_binds_every_request_together() -> None:
    assert subject(Scope()) == EVERYBODY
    assert subject(Scope(), Dimensions()) == EVERYBODY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("organisation", "kampus"),
        ("project", "paper-app"),
        ("feature", "growth"),
        ("user", "ani"),
        ("key", "key-1"),
        ("model", "openai/gpt-5.1"),
        ("provider", "openrouter"),
        ("tag:plan", "pro"),
    ],
)
def test_every_name_binds_its_value_alone_or_every_value_by_itself(name: str, value: str) -> None:
    assert subject(Scope.of({name: value}), organisation="kampus") == EVERYBODY
    assert subject(Scope.of({name: "another"}), organisation="kampus") is None
    each = subject(Scope.of(each=[name]), organisation="kampus")
    assert each is not None
    assert values_of(each) == ((name, value),)


def test_all_names_of_a_scope_must_hold_at_once() -> None:
    both = Scope.of({"feature": "growth", "tag:plan": "free"}, each=["user"])
    assert subject(both) is None
    assert subject(Scope.of({"feature": "growth", "tag:plan": "pro"}, each=["user"])) == "user=ani"


def test_requests_that_leave_a_name_out_share_one_budget_and_do_not_escape_it() -> None:
    per_user = Scope.of(each=["user", "tag:plan"])
    assert subject(per_user, Dimensions()) == "tag.plan=,user="
    assert values_of("tag.plan=,user=") == (("tag:plan", ""), ("user", ""))


def test_a_value_with_marks_cannot_pass_for_another_subject() -> None:
    per_two = Scope.of(each=["feature", "user"])
    crafted = subject(per_two, Dimensions(feature="a,user=b", user=""))
    assert crafted == "feature=a%2Cuser%3Db,user="
    assert crafted != subject(per_two, Dimensions(feature="a", user="b"))


def test_a_chain_of_targets_draws_on_every_budget_that_one_of_them_meets() -> None:
    routes = [ROUTE, Route(model="gemini-2.5-flash", provider="google")]
    google = Scope.of({"provider": "google"}, each=["user"])
    assert subjects_over_routes(google, ANI, routes=routes) == {"user=ani": (1,)}
    assert subjects_over_routes(Scope(), ANI, routes=routes) == {EVERYBODY: (0, 1)}
    assert subjects_over_routes(Scope.of({"user": "budi"}), ANI, routes=routes) == {}


@pytest.mark.parametrize(
    ("only", "each", "text"),
    [
        ({"feture": "growth"}, [], 'bad_input: a budget cannot be scoped by "feture". Did you'),
        ({"tag:": "x"}, [], 'scoped by "tag:"'),
        ({}, ["session"], 'scoped by "session"'),
        ({"user": "ani"}, ["user"], "the scope names user twice"),
        ({}, ["user", "user"], "the scope names user twice"),
        ({"user": ""}, [], "the scope gives user an empty value"),
    ],
)
def test_a_scope_that_makes_no_sense_is_refused_with_what_to_do(
    only: dict[str, str], each: list[str], text: str
) -> None:
    with pytest.raises(BadInput) as wrong:
        Scope.of(only, each)
    assert text in str(wrong.value)
    assert wrong.value.remedy != ""


def test_names_out_of_order_are_refused_so_that_one_scope_has_one_subject() -> None:
    with pytest.raises(BadInput, match="not in order"):
        Scope(each=("user", "feature"))
    with pytest.raises(BadInput, match="not in order"):
        Scope(only=(("user", "ani"), ("feature", "growth")))


@pytest.mark.parametrize(
    ("scope", "each"),
    [
        (Scope(), ()),
        (Scope.of(each=["provider"]), ("provider",)),
        (Scope.of(each=["user"]), ("project", "user")),
        (Scope.of({"user": "ani"}), ("project",)),
        (Scope.of({"feature": "growth"}, each=["model"]), ("model", "project")),
        (Scope.of({"tag:plan": "pro"}), ("project",)),
        (Scope.of(each=["organisation", "user"]), ("organisation", "user")),
        (Scope.of({"project": "acme/growth"}, each=["user"]), ("user",)),
        (Scope.of(each=["key", "tag:plan"]), ("key", "tag:plan")),
    ],
)
def test_what_clients_say_is_counted_within_projects(scope: Scope, each: tuple[str, ...]) -> None:
    assert scope.within_projects == Scope(only=scope.only, each=each)
