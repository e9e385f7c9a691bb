from collections.abc import Sequence
from math import inf
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.routing.alias import Alias, Choose, Target
from tokonomi.routing.breaker import Gate
from tokonomi.routing.chain import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    Chain,
    Facts,
    How,
    Limits,
    Stop,
    Try,
    Why,
    begin,
)
from tokonomi.routing.failure import Again, Failed, FailureKind, Telling, Then
from tokonomi.routing.provider import Timeouts

K: Final = FailureKind
OPEN = Gate(lets=False, opens_at=50.0)


def alias_of(
    *attempts: int,
    total: int = 10,
    deadline: float = 900.0,
    resume: bool = False,
    choose: Choose = "ordered",
) -> Alias:
    """An alias with one target for each number of attempts."""
    targets = tuple(Target(provider=f"p{n}", attempts=each) for n, each in enumerate(attempts))
    return Alias(
        targets=targets, attempts=total, deadline_seconds=deadline, resume=resume, choose=choose
    )


class Run:
    """A request on its way, at instants and draws that the test states."""

    def __init__(
        self,
        alias: Alias,
        facts: Sequence[Facts] = (),
        gates: Sequence[Gate] = (),
        *,
        draw: float = 0.0,
    ) -> None:
        number = len(alias.targets)
        self.gates = [*gates] or [Gate()] * number
        known = [*facts] or [Facts(Timeouts())] * number
        self.chain: Chain = begin(alias, known, self.gates, now=0.0, draw=draw)
        self.now = 0.0

    def step(self, draw: float = 0.0) -> Try | Stop:
        return self.chain.next(self.gates, now=self.now, draw=draw)

    def tried(self, draw: float = 0.0) -> Try:
        step = self.step(draw)
        assert isinstance(step, Try)
        return step

    def stopped(self) -> Stop:
        step = self.step()
        assert isinstance(step, Stop)
        return step

    def fail(self, *kinds: FailureKind, sent: bool = False, wait: float | None = None) -> "Run":
        for kind in kinds:
            failed = Failed(kind, retry_after_seconds=wait)
            self.chain = self.chain.after(self.tried(), failed, sent=sent)
        return self


def window(tokens: int | None) -> Facts:
    return Facts(Timeouts(), context_window=tokens)


def test_the_targets_are_tried_in_their_order_and_the_request_ends_after_the_last():
    run = Run(alias_of(1, 1))
    assert run.tried().target == 0
    assert run.fail(K.SERVER_ERROR).tried() == Try(
        1, 2, 0.0, Limits(5.0, 120.0, None, 60.0, 900.0), How.FRESH
    )
    assert run.fail(K.BAD_GATEWAY).stopped() == Stop(Why.NO_TARGET, Failed(K.SERVER_ERROR))


def test_a_target_is_tried_as_often_as_it_may_be_with_longer_and_longer_pauses():
    run = Run(alias_of(4, 1))
    pauses = [run.fail(K.SERVER_ERROR).tried().not_before for _ in range(3)]
    assert pauses == [FIRST_PAUSE_SECONDS, 2 * FIRST_PAUSE_SECONDS, 4 * FIRST_PAUSE_SECONDS]
    assert run.fail(K.SERVER_ERROR).tried().target == 1


def test_a_draw_takes_up_to_half_of_a_pause_away_and_no_pause_is_longer_than_the_longest():
    run = Run(alias_of(20, total=30))
    assert run.fail(K.SERVER_ERROR).tried(draw=0.5).not_before == FIRST_PAUSE_SECONDS * 0.75
    run.fail(*[K.SERVER_ERROR] * 10)
    assert run.tried().not_before == LONGEST_PAUSE_SECONDS


def test_a_wait_that_the_provider_asks_for_is_honoured_up_to_a_bound():
    short, long = LONGEST_RETRY_AFTER_SECONDS, LONGEST_RETRY_AFTER_SECONDS + 1
    assert Run(alias_of(2, 1)).fail(K.RATE_LIMITED, wait=short).tried().not_before == short
    assert Run(alias_of(2, 1)).fail(K.RATE_LIMITED, wait=long).tried().target == 1
    unstated = Run(alias_of(2, 1)).fail(K.RATE_LIMITED).tried()
    assert (unstated.target, unstated.not_before) == (0, FIRST_PAUSE_SECONDS)


def test_a_lost_connection_is_made_again_without_a_pause():
    again = Run(alias_of(2)).fail(K.CONNECTION_LOST).tried()
    assert (again.target, again.attempt, again.not_before) == (0, 2, 0.0)


@pytest.mark.parametrize("kind", [K.FIRST_BYTE_TIMEOUT, K.FIRST_TOKEN_LATE, K.TOTAL_TIMEOUT])
def test_a_target_that_stayed_silent_is_not_tried_again_in_the_request(kind: FailureKind):
    run = Run(alias_of(5, 5)).fail(kind)
    assert run.tried().target == 1
    assert run.fail(kind).stopped().why is Why.NO_TARGET


def test_all_targets_together_have_the_attempts_of_the_alias():
    run = Run(alias_of(3, 3, total=2)).fail(K.SERVER_ERROR, K.SERVER_ERROR)
    assert run.stopped().why is Why.ATTEMPTS


def test_no_try_and_no_pause_goes_beyond_the_deadline():
    run = Run(alias_of(2, 1, deadline=10.0))
    run.now = 9.9
    last = run.fail(K.SERVER_ERROR).tried()
    assert (last.target, last.not_before) == (1, 9.9)
    assert last.limits.connect == last.limits.total == pytest.approx(0.1)
    run.now = 10.0
    assert run.stopped() == Stop(Why.DEADLINE, Failed(K.SERVER_ERROR))


def test_a_deadline_that_passed_before_the_first_try_leaves_nothing_to_tell():
    run = Run(alias_of(1, deadline=1.0))
    run.now = 1.0
    assert run.stopped() == Stop(Why.DEADLINE)


def test_a_target_has_limits_of_its_own_and_one_for_the_first_content():
    target = Target(provider="p", first_token_seconds=3.0)
    facts = Facts(Timeouts(connect=1.0, first_byte=2.0, between_chunks=4.0, total=30.0))
    run = Run(Alias(targets=(target,), deadline_seconds=20.0), [facts])
    assert run.tried().limits == Limits(1.0, 2.0, 3.0, 4.0, 20.0)


@pytest.mark.parametrize("kind", [K.BAD_REQUEST, K.UNPROCESSABLE, K.CLIENT_LEFT, K.OWN_STORE])
def test_a_failure_that_no_target_can_mend_ends_the_request(kind: FailureKind):
    run = Run(alias_of(2, 2)).fail(K.SERVER_ERROR, kind)
    assert run.stopped() == Stop(Why.REFUSED, Failed(kind))


@pytest.mark.parametrize("kind", [K.UNAUTHORIZED, K.FORBIDDEN, K.NOT_FOUND, K.QUOTA_EXHAUSTED])
def test_what_is_wrong_with_one_provider_s_configuration_moves_on_with_an_alarm(kind: FailureKind):
    assert Run(alias_of(3, 1)).fail(kind).tried().target == 1
    assert Failed(kind).rule.alarm


def test_a_request_too_long_for_a_target_goes_only_to_a_larger_context():
    run = Run(alias_of(1, 1, 1, 1), [window(8), window(4), window(8), window(16)])
    assert run.fail(K.CONTEXT_OVERFLOW).tried().target == 3
    assert run.fail(K.SERVER_ERROR).stopped() == Stop(Why.NO_TARGET, Failed(K.SERVER_ERROR))


def test_a_context_that_is_not_known_may_be_larger():
    run = Run(alias_of(1, 1, 1), [window(8), window(None), window(16)]).fail(K.CONTEXT_OVERFLOW)
    assert run.tried().target == 1
    assert run.fail(K.CONTEXT_OVERFLOW).tried().target == 2
    assert run.fail(K.CONTEXT_OVERFLOW).stopped().told == Failed(K.CONTEXT_OVERFLOW)


def test_a_target_whose_dialect_cannot_carry_the_request_is_left_out():
    cannot = Facts(Timeouts(), carries=False)
    run = Run(alias_of(1, 1, 1), [cannot, window(None), cannot])
    assert run.tried().target == 1
    assert run.fail(K.SERVER_ERROR).stopped().why is Why.NO_TARGET
    assert Run(alias_of(1, 1), [cannot, cannot]).stopped() == Stop(Why.NOT_CARRIED)


def test_an_open_breaker_is_passed_over():
    run = Run(alias_of(1, 1, 1), gates=[OPEN, Gate(), OPEN])
    assert run.tried().target == 1
    assert run.fail(K.SERVER_ERROR).stopped().why is Why.NO_TARGET


def test_a_breaker_that_opened_meanwhile_ends_the_tries_of_its_target():
    run = Run(alias_of(3, 1)).fail(K.SERVER_ERROR)
    run.gates[0] = OPEN
    assert run.tried().target == 1


def test_where_every_breaker_is_open_the_one_that_half_opens_first_is_asked_once():
    run = Run(
        alias_of(2, 2, 2),
        gates=[OPEN, Gate(lets=False, opens_at=20.0), Gate(lets=False, opens_at=30.0)],
    )
    assert run.tried().target == 1
    assert run.fail(K.SERVER_ERROR).stopped().why is Why.NO_TARGET


def test_a_target_that_a_person_holds_open_is_not_asked_even_where_all_others_are_open():
    held = Gate(lets=False, opens_at=inf)
    assert Run(alias_of(1, 1), gates=[held, OPEN]).tried().target == 1
    assert Run(alias_of(1, 1), gates=[held, held]).stopped() == Stop(Why.NO_TARGET)


def weighted(*weights: int) -> Alias:
    targets = tuple(Target(provider=f"p{n}", weight=each) for n, each in enumerate(weights))
    return Alias(targets=targets, choose="weighted")


@pytest.mark.parametrize(("draw", "first"), [(0.0, 0), (0.19, 0), (0.2, 1), (0.79, 1), (0.8, 2)])
def test_the_first_target_is_drawn_by_weight_and_the_others_follow_in_order(
    draw: float, first: int
):
    run = Run(weighted(1, 3, 1), draw=draw)
    order = [run.tried().target, *(run.fail(K.SERVER_ERROR).tried().target for _ in range(2))]
    assert order == [first, *(place for place in range(3) if place != first)]


def test_a_draw_does_not_fall_on_a_target_that_may_not_be_called():
    cannot = [Facts(Timeouts(), carries=False), *[Facts(Timeouts())] * 2]
    assert Run(weighted(5, 1, 1), cannot, draw=0.0).tried().target == 1
    assert Run(weighted(5, 1, 1), gates=[OPEN, Gate(), Gate()], draw=0.0).tried().target == 1
    assert Run(weighted(1, 1), gates=[OPEN, OPEN], draw=0.9).tried().target == 1


def test_weights_of_zero_leave_the_order_as_it_is():
    assert Run(weighted(0, 0), draw=0.5).tried().target == 0
    assert Run(weighted(0, 1), draw=0.0).tried().target == 1


def test_after_the_first_content_there_is_no_further_try():
    run = Run(alias_of(3, 3)).fail(K.CUT_STREAM, sent=True)
    assert run.stopped() == Stop(Why.COMMITTED, Failed(K.CUT_STREAM))


def resuming(*continues: bool, attempts: int = 1) -> Run:
    facts = [Facts(Timeouts(), continues=each) for each in continues]
    return Run(alias_of(*[attempts] * len(continues), resume=True), facts)


def test_with_resume_the_next_target_continues_or_restarts_by_what_it_can():
    run = resuming(False, True, False).fail(K.STALLED_STREAM, sent=True)
    assert (run.tried().target, run.tried().how) == (1, How.CONTINUE)
    run.fail(K.UNAVAILABLE)
    assert (run.tried().target, run.tried().how) == (2, How.RESTART)


@pytest.mark.parametrize("kind", [K.PREFIX_REFUSED, K.BAD_REQUEST, K.UNPROCESSABLE])
def test_a_refused_prefix_is_followed_by_a_restart_at_the_same_target(kind: FailureKind):
    run = resuming(False, True, True).fail(K.CUT_STREAM, sent=True).fail(kind)
    again = run.tried()
    assert (again.target, again.how, again.attempt) == (1, How.RESTART, 3)
    assert run.fail(kind).tried().target == 2


def test_a_target_that_refused_the_prefix_is_not_asked_to_continue_later():
    run = resuming(False, True, attempts=2).fail(K.STALLED_STREAM, sent=True).fail(K.PREFIX_REFUSED)
    run.fail(K.CUT_STREAM, sent=True)
    assert (run.tried().target, run.tried().how) == (1, How.RESTART)


def test_the_client_hears_that_the_answer_broke_off_and_nothing_of_its_resumption():
    run = resuming(False, True).fail(K.CUT_STREAM, sent=True)
    run.fail(K.PREFIX_REFUSED, K.BAD_REQUEST)
    assert run.stopped() == Stop(Why.NO_TARGET, Failed(K.CUT_STREAM))


def test_an_answer_that_a_filter_ended_is_not_resumed():
    run = resuming(False, True).fail(K.CONTENT_FILTER, sent=True)
    assert run.stopped() == Stop(Why.COMMITTED, Failed(K.CONTENT_FILTER))


def test_a_client_that_left_ends_also_a_resumption():
    run = resuming(False, True).fail(K.CUT_STREAM, sent=True).fail(K.CLIENT_LEFT)
    assert run.stopped() == Stop(Why.REFUSED, Failed(K.CLIENT_LEFT))


TELLINGS = {
    "what the client can change": ([K.UNAVAILABLE, K.CONTENT_FILTER, K.SERVER_ERROR], 1),
    "what passes by waiting": ([K.UNAUTHORIZED, K.SERVER_ERROR, K.RATE_LIMITED], 2),
    "a failure, before a wrong key": ([K.UNAUTHORIZED, K.SERVER_ERROR, K.NOT_FOUND], 1),
    "the first of equals": ([K.BAD_GATEWAY, K.SERVER_ERROR, K.EMPTY_ANSWER], 0),
    "an overflow, when nothing larger failed": ([K.SERVER_ERROR, K.CONTEXT_OVERFLOW], 1),
    "not an overflow, when something larger failed": ([K.CONTEXT_OVERFLOW, K.UNAUTHORIZED], 1),
}


@pytest.mark.parametrize(("kinds", "told"), TELLINGS.values(), ids=TELLINGS)
def test_the_client_is_told_the_failure_that_helps_it_most(kinds: list[FailureKind], told: int):
    run = Run(alias_of(*[1] * len(kinds))).fail(*kinds)
    assert run.stopped().told == Failed(kinds[told])


def test_a_client_that_is_to_wait_is_told_the_shortest_of_the_waits():
    run = Run(alias_of(1, 1, 1)).fail(K.RATE_LIMITED, wait=60.0).fail(K.UNAVAILABLE, wait=30.0)
    run.fail(K.OVERLOADED)
    assert run.stopped().told == Failed(K.RATE_LIMITED, retry_after_seconds=30.0)


KINDS = st.sampled_from([*FailureKind])


@given(
    attempts=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    total=st.integers(1, 6),
    resume=st.booleans(),
    failures=st.lists(st.tuples(KINDS, st.booleans()), min_size=30, max_size=30),
    draw=st.floats(0, 1, exclude_max=True),
)
def test_every_request_ends_within_its_attempts_and_tells_a_failure_that_happened(
    attempts: list[int],
    total: int,
    resume: bool,  # noqa: FBT001 - Hypothesis passes by name
    failures: list[tuple[FailureKind, bool]],
    draw: float,
):
    alias = alias_of(*attempts, total=total, resume=resume)
    run = Run(alias, draw=draw)
    happened: list[Failed] = []
    silent: set[int] = set()
    for kind, sent in failures:
        step = run.step(draw)
        if isinstance(step, Stop):
            assert step.told in happened
            break
        assert step.target not in silent
        assert step.attempt == len(happened) + 1 <= total
        assert step.how is not How.FRESH or not run.chain.committed
        if kind is K.FIRST_BYTE_TIMEOUT:
            silent.add(step.target)
        happened.append(Failed(kind))
        run.chain = run.chain.after(step, happened[-1], sent=sent)
    else:
        pytest.fail("the request never ended")


def test_the_table_has_a_row_for_every_kind_and_never_retries_what_it_stops():
    for kind in FailureKind:
        rule = Failed(kind).rule
        assert rule.then is not Then.STOP or rule.again is Again.NO
        assert rule.alarm == (rule.telling is Telling.OPERATOR)
