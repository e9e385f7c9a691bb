"""Labels hold for a stretch of code: across tasks, for threads that copy them, and not beyond."""

import asyncio
import threading

import pytest

from tokonomi.calls import LONGEST_VALUE, MOST_TAGS
from tokonomi.sdk import labels
from tokonomi.sdk.dimensions import said, said_now


def test_inner_labels_add_to_outer_ones_and_end_with_their_block() -> None:
    with labels(feature="draft", user="ani", tags={"tenant": "a", "plan": "free"}):
        with labels(feature="summary", tags={"tenant": "b"}):
            now = said_now()
            assert (now.feature, now.user) == ("summary", "ani")
            assert now.tags == {"tenant": "b", "plan": "free"}
        assert said_now().feature == "draft"
    assert said_now().feature == ""


def test_labels_end_when_their_block_is_left_by_an_error() -> None:
    with pytest.raises(ValueError, match="inside"), labels(feature="draft"):
        raise ValueError("inside")
    assert said_now().feature == ""


def test_a_decorated_function_has_them_while_it_runs() -> None:
    @labels(feature="summary")
    def summarise(text: str) -> str:
        """Names what holds."""
        return f"{text} {said_now().feature}"

    assert summarise("for") == "for summary"
    assert (summarise.__name__, summarise.__doc__) == ("summarise", "Names what holds.")
    assert said_now().feature == ""


def test_one_object_serves_many_tasks_at_once_and_tasks_take_them_along() -> None:
    both_inside = asyncio.Barrier(2)

    @labels(feature="summary")
    async def summarise(user: str) -> tuple[str, str]:
        with labels(user=user):
            await both_inside.wait()
            inner = await asyncio.to_thread(said_now)
            return inner.feature, inner.user

    async def both() -> list[tuple[str, str]]:
        return [*await asyncio.gather(summarise("ani"), summarise("budi"))]

    assert asyncio.run(both()) == [("summary", "ani"), ("summary", "budi")]


def test_a_thread_of_its_own_begins_without_labels() -> None:
    seen: list[str] = []
    with labels(feature="draft"):
        thread = threading.Thread(target=lambda: seen.append(said_now().feature))
        thread.start()
        thread.join()
    assert seen == [""]


def test_labels_are_stronger_than_what_track_was_told_and_the_bodys_user_is_weakest() -> None:
    tracked = said(project="paper", feature="draft", tags={"tenant": "a"})
    with labels(feature="summary"):
        who = said_now().over(tracked).dimensions(alias="m", provider="openai", user="from body")
    assert (who.project, who.feature, who.user) == ("paper", "summary", "from body")
    with labels(user="ani"):
        who = said_now().over(tracked).dimensions(alias="m", provider="openai", user="from body")
    assert (who.user, who.tags) == ("ani", (("tenant", "a"),))


def test_what_users_write_is_cut_and_never_refused() -> None:
    tags = {f"tag-{number:02}": "x" for number in range(40)}
    who = said(user="a\x00b" * 200, tags=tags).dimensions(alias="", provider="", user="")
    assert (len(who.user), who.user[:6]) == (LONGEST_VALUE, "a?ba?b")
    assert len(who.tags) == MOST_TAGS
