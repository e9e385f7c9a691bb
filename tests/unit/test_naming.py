"""Names that are joined, and names that were meant."""

import pytest

from tokonomi.naming import escaped, meant, unescaped


@pytest.mark.parametrize("text", ["", "ani", "a:b", "a=b,c", "100%", "%3A", "%253A", "日本:語"])
def test_an_escaped_text_reads_back_and_holds_no_mark_that_separates(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert set(escaped(text)) & set(":,=") == set()


def test_a_near_name_is_suggested_and_a_far_one_gets_the_list() -> None:
    assert meant("budgt", ["budget", "wallet"]) == 'Did you mean "budget"?'
    assert meant("zzz", ["budget", "wallet"]) == "Use one of budget, wallet."
