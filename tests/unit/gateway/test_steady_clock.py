"""A clock that was set is not believed for a while, however far and in which direction."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tokonomi.gateway.steady_clock import DISTRUSTED_SECONDS, STEP_SECONDS, SteadyClock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOOK_SECONDS = 5.0


class Host:
    """A host whose clock goes on with its time until somebody sets it."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.set_by = 0.0
        self.clock = SteadyClock(self.wall, lambda: self.passed)

    def wall(self) -> datetime:
        return NOON + timedelta(seconds=self.passed + self.set_by)

    def look(self, seconds: float = LOOK_SECONDS, *, set_by: float = 0.0) -> bool:
        self.passed += seconds
        self.set_by += set_by
        return self.clock.is_steady()


def test_a_clock_that_nobody_sets_is_steady() -> None:
    host = Host()
    assert all(host.look() for _ in range(200))
    assert host.clock.now() == NOON + timedelta(seconds=1_000)


def test_a_clock_that_is_a_little_fast_is_steady_for_ever() -> None:
    host = Host()
    assert all(host.look(set_by=0.4) for _ in range(1_000))


@given(
    seconds=st.floats(STEP_SECONDS + 1, 10**6).flatmap(lambda it: st.sampled_from([it, -it])),
    back_after=st.integers(0, int(DISTRUSTED_SECONDS / LOOK_SECONDS) - 2),
)
def test_a_jump_that_is_taken_back_in_time_is_never_believed(
    seconds: float, back_after: int
) -> None:
    host = Host()
    looks = [host.look(set_by=seconds)]
    looks += [host.look() for _ in range(back_after)]
    looks += [host.look(set_by=-seconds)]
    assert not any(looks)
    assert not host.look(DISTRUSTED_SECONDS - LOOK_SECONDS)
    assert host.look()


def test_a_clock_that_stays_where_it_was_set_is_believed_after_a_while() -> None:
    host = Host()
    assert not host.look(set_by=86_400)
    assert not host.look(DISTRUSTED_SECONDS - 1)
    assert host.look(1)
