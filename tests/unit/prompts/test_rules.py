"""Rules are data: read strictly, laid over one another, with errors that say where."""

import pytest

from tokonomi.errors import BadInput
from tokonomi.prompts.rule_file import read_rule_file
from tokonomi.prompts.rules import Limits, Rules, compile_rules

WHY = 'why = { en = "Because." }'
BRIEF = f'[[instruction]]\nid = "brief"\npatterns = ["be {{how}}"]\n{WHY}\n'


def rules(*texts: str) -> Rules:
    files = {
        f"{number}.toml": read_rule_file(text, f"{number}.toml")
        for number, text in enumerate(texts, 1)
    }
    return compile_rules(files)


def test_terms_are_put_into_patterns_from_any_file() -> None:
    [rule] = rules('[terms]\nhow = ["brief", "short+"]\n', BRIEF).instructions
    [pattern] = rule.patterns
    assert [bool(pattern.fullmatch(text)) for text in ("Be BRIEF", "be short+", "be shorttt")] == [
        True,
        True,
        False,
    ]


def test_a_later_file_replaces_adds_and_ends_rules() -> None:
    first = '[terms]\nhow = ["brief"]\n' + BRIEF
    second = f'[[volatile]]\nid = "day"\npatterns = ["day {{2}}"]\n{WHY}\n'
    both = rules(first, second)
    assert [rule.id for rule in (*both.instructions, *both.volatile)] == ["brief", "day"]
    replaced = rules(first, f'[[instruction]]\nid = "brief"\npatterns = ["x"]\n{WHY}\n')
    assert [pattern.pattern for pattern in replaced.instructions[0].patterns] == ["x"]
    ended = rules(first, second, 'off = ["brief", "day"]\n')
    assert (ended.instructions, ended.volatile) == ((), ())


def test_limits_and_words_of_several_files_are_put_together() -> None:
    told = rules("ignored = ['The']\n[limits]\nexample_tokens = 9\n", "[limits]\nleast_words = 2\n")
    assert told.limits == Limits(75, 2, 9)
    assert told.ignored == {"the"}


def test_a_reason_is_told_in_the_language_that_has_one() -> None:
    text = '[[volatile]]\nid = "x"\npatterns = ["x"]\nwhy = { en = "Why.", id = "Sebab." }\n'
    told = rules(text, BRIEF.replace("{how}", "brief"))
    assert [told.reason("x", "en"), told.reason("x", "id"), told.reason("brief", "id")] == [
        "Why.",
        "Sebab.",
        "Because.",
    ]
    assert told.reason("none", "en") == ""


WRONG = {
    "[[instruction]\n": "1.toml is not TOML:",
    '[[instruction]]\nid = "x"\npattern = ["x"]\n': (
        "1.toml, in instruction number 1: Object contains unknown field `pattern`. "
        'Did you mean "patterns"?'
    ),
    '[[section]]\npart = "exmples"\n': (
        "1.toml, in section number 1, part: Invalid enum value 'exmples'. "
        'Did you mean "examples"?'
    ),
    "[limits]\nleast_words = '3'\n": (
        "1.toml, in limits, least_words: Expected `int | null`, got `str`. See "
        "docs/reference/prompts.md for what may stand there."
    ),
    BRIEF: "1.toml, rule brief: no term {how}. Terms are none; a real brace is",
    BRIEF.replace("{how}", "("): (
        "1.toml, rule brief: 'be (' is not a pattern: missing ), unterminated subpattern at "
        "position 3. Write a Python regular expression,"
    ),
    BRIEF.replace("{how}", "x") + '[[volatile]]\noff = ["brif"]\n': "1.toml, in volatile number 1",
    "[limits]\nsimilarity_percent = 101\n": "1.toml: limits 101 %, 3 words, 150 and 450 tokens.",
}


def test_words_of_one_meaning_and_of_direction_are_added_to_those_before() -> None:
    more = rules('same = [["Bill", "invoice"]]\ndirecting = ["Via"]\n')
    assert (more.same["invoice"], more.directing) == ("bill", frozenset({"via"}))


def test_groups_of_one_meaning_that_share_a_word_are_one() -> None:
    apart = rules('same = [["a", "b"], ["c", "d"]]\n').same
    assert apart == {"a": "a", "b": "a", "c": "c", "d": "c"}
    chained = rules('same = [["a", "b"], ["c", "d"], ["B", "c", "e"]]\n').same
    assert dict.fromkeys("abcde", "a") == chained


def test_an_own_group_widens_the_bundled_one_that_it_meets() -> None:
    bundled = 'same = [["answer", "reply", "respond"]]\n'
    both = rules(bundled, 'same = [["tell", "answer"]]\n').same
    assert both == dict.fromkeys(("answer", "reply", "respond", "tell"), "answer")


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_with_a_rule_file_is_told_with_its_place(text: str) -> None:
    with pytest.raises(BadInput) as wrong:
        rules(text)
    assert str(wrong.value).startswith(f"bad_input: {WRONG[text]}")


def test_a_rule_that_is_ended_must_be_there() -> None:
    with pytest.raises(BadInput) as wrong:
        rules(BRIEF.replace("{how}", "x"), 'off = ["brif"]\n')
    assert str(wrong.value) == (
        "bad_input: 2.toml: off names no rule 'brif'. Did you mean \"brief\"?"
    )
