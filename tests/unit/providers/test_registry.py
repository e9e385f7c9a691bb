import pytest

from tokonomi.errors import NotFound
from tokonomi.providers.adapter import Dialect
from tokonomi.providers.registry import adapter_for


@pytest.mark.parametrize("dialect", Dialect)
def test_every_dialect_has_an_adapter_that_knows_its_name(dialect: Dialect):
    assert adapter_for(dialect, "somebody").dialect is dialect


def test_the_same_names_give_the_same_adapter():
    assert adapter_for("openai_chat", "openrouter") is adapter_for("openai_chat", "openrouter")


def test_perplexity_is_found_under_the_dialect_that_it_resembles():
    assert adapter_for("openai_chat", "Perplexity").dialect is Dialect.PERPLEXITY


def test_an_unknown_dialect_is_refused_with_the_known_ones():
    with pytest.raises(NotFound) as caught:
        adapter_for("morse")
    assert str(caught.value).startswith(
        'not_found: no wire dialect "morse". Use one of openai_chat,'
    )


def test_two_readings_of_one_adapter_do_not_share_what_they_saw():
    adapter = adapter_for("openai_chat")
    first, second = adapter.stream(), adapter.stream()
    first.observe({"model": "a", "choices": [{"delta": {"content": "x"}}]})
    assert (second.seen.model, second.seen.relayed.text) == ("", "")
