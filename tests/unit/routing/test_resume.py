from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.routing.chain import How
from tokonomi.routing.provider import PrefixForm
from tokonomi.routing.resume import BREAK, Joint, Prefix, Resumption, Sent, resumed_by, resumption

TEXT: Final = "Jakarta is the "


def resumed(sent: Sent, how: How = How.CONTINUE, form: PrefixForm = "trailing") -> Resumption:
    found = resumption(sent, how, form)
    assert found is not None
    return found


def joined(joint: Joint, *pieces: str) -> str:
    return "".join(joint.feed(piece) for piece in pieces)


FORMS: dict[PrefixForm, Prefix | None] = {
    "none": None,
    "trailing": Prefix({"role": "assistant", "content": "Jakarta is the"}),
    "flagged": Prefix({"role": "assistant", "content": "Jakarta is the", "prefix": True}),
    "echoed": Prefix({"role": "assistant", "content": "Jakarta is the", "prefix": True}),
    "vllm": Prefix(
        {"role": "assistant", "content": "Jakarta is the"},
        {"continue_final_message": True, "add_generation_prompt": False},
    ),
}


@pytest.mark.parametrize(("form", "prefix"), FORMS.items(), ids=FORMS)
def test_a_beginning_is_given_in_the_form_that_the_provider_takes_and_ends_before_its_space(
    form: PrefixForm, prefix: Prefix | None
):
    assert resumed(Sent(TEXT), form=form).prefix == prefix


def test_a_restart_gives_no_beginning_and_neither_does_a_text_of_space_alone():
    assert resumed(Sent(TEXT), How.RESTART).prefix is None
    assert resumed(Sent(" \n")).prefix is None


def test_half_a_tool_call_is_not_resumed():
    for how in (How.CONTINUE, How.RESTART):
        assert resumption(Sent(TEXT, beyond_text=True), how, "trailing") is None


def test_an_answer_of_a_fixed_form_is_continued_and_never_begun_a_second_time():
    half = Sent('{"city": "Band', structured=True)
    assert resumed(half).prefix is not None
    assert resumption(half, How.RESTART, "trailing") is None
    assert resumption(half, How.CONTINUE, "none") is None
    assert resumed(Sent("", structured=True), How.RESTART).prefix is None


@pytest.mark.parametrize(
    "pieces", [["capital", "."], [" capital."], [" ", "capital", "."], ["", " capital."]]
)
def test_a_continuation_goes_on_without_the_space_that_was_sent_already(pieces: list[str]):
    joint = resumed(Sent(TEXT)).joint()
    assert TEXT + joined(joint, *pieces) == "Jakarta is the capital."
    assert joint.mark(1) == "it continues attempt 1 behind 15 characters"


def test_a_continuation_keeps_a_space_that_is_not_the_one_that_was_sent():
    assert joined(resumed(Sent("Item: ")).joint(), "\n", "one") == "\none"


def test_a_continuation_that_begins_like_the_answer_is_no_repetition():
    assert joined(resumed(Sent("Ha")).joint(), "Ha", "!") == "Ha!"


@pytest.mark.parametrize(
    "pieces", [["Jakarta is the capital."], ["Jak", "arta is the", " capital."]]
)
def test_an_echoed_beginning_is_dropped(pieces: list[str]):
    joint = resumed(Sent(TEXT), form="echoed").joint()
    assert TEXT + joined(joint, *pieces) == "Jakarta is the capital."
    assert joint.dropped == len(TEXT)


def test_a_provider_that_should_echo_and_does_not_loses_nothing():
    joint = resumed(Sent(TEXT), form="echoed").joint()
    assert joined(joint, "Ja", "wa's largest city.") == "Jawa's largest city."


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_an_answer_that_begins_anew_with_the_same_words_goes_on_where_the_other_broke_off(
    size: int,
):
    whole = "Jakarta is the capital."
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    joint = resumed(Sent(TEXT), How.RESTART).joint()
    assert TEXT + joined(joint, *pieces) == whole
    assert (joint.dropped, joint.parted) == (len(TEXT), False)
    assert joint.mark(2) == "it repeats attempt 2 and goes on behind 15 characters"


def test_an_answer_that_goes_another_way_follows_whole_after_a_blank_line():
    joint = resumed(Sent(TEXT), How.RESTART).joint()
    assert joined(joint, "Jakarta", " was", " Batavia.") == f"{BREAK}Jakarta was Batavia."
    assert joint.parted
    assert joint.mark(1) == "it begins anew behind 15 characters of attempt 1"


def test_an_answer_that_ends_within_what_was_sent_went_another_way():
    joint = resumed(Sent(TEXT), How.RESTART).joint()
    assert joined(joint, "Jakarta", " is") == ""
    assert joint.mark(1) == "it was to begin anew behind 15 characters of attempt 1"
    assert joint.finish() == f"{BREAK}Jakarta is"
    assert joint.mark(1) == "it begins anew behind 15 characters of attempt 1"


@pytest.mark.parametrize("form", ["trailing", "echoed"])
def test_a_continuation_that_adds_nothing_ends_where_the_other_broke_off(form: PrefixForm):
    joint = resumed(Sent(TEXT), form=form).joint()
    assert joint.mark(1) == "it was to continue behind 15 characters of attempt 1"
    assert joined(joint, "J" if form == "echoed" else "") == ""
    assert joint.finish() == joint.finish() == ""
    assert joint.mark(1) == "it continues attempt 1 behind 15 characters"


def test_where_only_thinking_was_sent_the_new_answer_goes_on_as_it_is():
    joint = resumed(Sent("")).joint()
    assert joined(joint, "Halo", " Ani") == "Halo Ani"


def test_the_row_of_the_answer_that_broke_off_names_the_one_that_resumes_it():
    assert resumed_by(3) == "attempt 3 is to resume its answer"


@given(whole=st.text(max_size=40), cut=st.integers(0, 40), sizes=st.lists(st.integers(1, 9)))
def test_a_repeated_answer_reaches_the_client_once_in_any_pieces(
    whole: str, cut: int, sizes: list[int]
):
    sent = whole[:cut]
    joint = Resumption(Sent(sent)).joint()
    out, at = "", 0
    for size in [*sizes, len(whole) + 1]:
        out += joint.feed(whole[at : at + size])
        at += size
    assert sent + out == whole
