"""A worker's own log: what a reader finds in the file, whatever happened to it."""

import resource
import zlib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from struct import Struct
from typing import Final

import msgspec
import pytest
from msgspec.structs import replace
from recorded_calls import call, intent

from tokonomi.calls import Dimensions, Intent, Status
from tokonomi.errors import StoreError
from tokonomi.ledger.hold import Held, Part, capture
from tokonomi.money import Money
from tokonomi.pricing.charge import Charge, ChargeLine, Unpriced
from tokonomi.pricing.row import Meter
from tokonomi.storage.call_groups import Begun, Record, Settle
from tokonomi.storage.worker_log import HALF_BYTES, WorkerLog, records_after
from tokonomi.usage import Quarantined

IDENTITY: Final = 77
WALLET: Final = Held("wallet ani", 3, (Part(1, 50), Part(2, 30)))
END: Final = call(intent("a"))
ENTRIES: Final[dict[str, Begun | Settle]] = {
    "a beginning without holds": Begun(intent("a")),
    "a beginning with all that it can say": Begun(
        Intent(
            id="a.1",
            at=datetime(2026, 1, 30, 12, 0, 0, 123456, tzinfo=UTC),
            dimensions=Dimensions(project="p", user="\u00e9\n\x00", tags=(("k", "v"),)),
            model="m",
            input_bound=9,
            worst_case=Money(-(2**63), "USD"),
        ),
        (WALLET, Held("budget", 4, ())),
    ),
    "an end that says nothing of holds": Settle(END),
    "an end that frees all": Settle(END, ()),
    "an end with captured parts": Settle(END, (capture(WALLET, 60),)),
    "an end with overrun": Settle(END, (capture(WALLET, 99),)),
    "an end with exposure": Settle(
        replace(END, exposure=Money(7, "IDR"), status=Status.CUT),
        (capture(WALLET, 10, exposed=30),),
    ),
    "a charge": Settle(
        replace(
            END,
            cost=Charge("row", "USD", 14, (ChargeLine(Meter.OUTPUT, 7, 2, 14),), 200_000),
            first_token_ms=0,
        )
    ),
    "no price": Settle(replace(END, cost=Unpriced("no price", (Meter.OUTPUT,)))),
    "usage that cannot be true": Settle(replace(END, usage=Quarantined("reason", "{}"))),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "workers" / "1.log"


def begun(name: str) -> Begun:
    return Begun(intent(name))


def append(log: WorkerLog, *names: str) -> None:
    for name in names:
        assert log.append(begun(name), 1) is not None


def names(records: list[Record]) -> list[str]:
    entries = [it.entry for it in records]
    return [it.intent.request_id for it in entries if isinstance(it, Begun)]


def fill(log: WorkerLog) -> int:
    """How many records a half took until it was full."""
    before = log.number
    while log.append(begun(f"{log.number:040}"), 1):
        pass
    return log.number - before


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_what_was_appended_is_read_again(path: Path, entry: Begun | Settle) -> None:
    with closing(WorkerLog(path, IDENTITY)) as log:
        records = [log.append(entry, at_us) for at_us in (5, 6)]
    assert records == [Record(1, 5, entry), Record(2, 6, entry)]
    assert records_after(path, IDENTITY, 0) == records
    assert records_after(path, IDENTITY, 1) == records[1:]
    assert records_after(path, IDENTITY, 2) == []


def test_a_log_that_is_not_there_has_no_records(path: Path) -> None:
    assert records_after(path, IDENTITY, 0) == []


@pytest.mark.parametrize("identity", [0, 1, 2**32 - 1])
def test_an_empty_log_has_no_records(path: Path, identity: int) -> None:
    with closing(WorkerLog(path, identity)):
        assert records_after(path, identity, 0) == []


def test_a_log_of_another_worker_with_the_same_id_is_not_read(path: Path) -> None:
    with closing(WorkerLog(path, IDENTITY)) as log:
        append(log, "a")
    assert records_after(path, IDENTITY + 1, 0) == []


def test_a_new_worker_does_not_go_on_with_the_log_of_one_before(path: Path) -> None:
    with closing(WorkerLog(path, IDENTITY)) as log:
        append(log, "a", "b")
    with closing(WorkerLog(path, IDENTITY)) as log:
        append(log, "c")
    assert names(records_after(path, IDENTITY, 0)) == ["c"]


def test_a_tail_torn_at_any_byte_costs_the_last_record_alone(path: Path) -> None:
    with closing(WorkerLog(path, IDENTITY)) as log:
        append(log, "a", "b")
        start = _used(path)
        append(log, "c")
    content, end = path.read_bytes(), _used(path)
    assert start < end
    for cut in range(start, end):
        for torn in (content[:cut], content[:cut] + bytes(len(content) - cut)):
            path.write_bytes(torn)
            assert names(records_after(path, IDENTITY, 0)) == ["a", "b"]


def test_a_flipped_byte_anywhere_costs_no_record_before_it_and_changes_none(path: Path) -> None:
    ends: list[int] = []
    with closing(WorkerLog(path, IDENTITY)) as log:
        for name in "abc":
            append(log, name)
            ends.append(_used(path))
    content = path.read_bytes()
    for at in range(ends[-1]):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1 :])
        found = names(records_after(path, IDENTITY, 0))
        assert found == list("abc")[: len(found)]
        assert len(found) >= sum(end <= at for end in ends)


def test_a_log_that_cannot_be_made_is_told(path: Path) -> None:
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"1\.log cannot be made"):
        WorkerLog(path, IDENTITY)


def test_a_full_half_takes_nothing_more_until_the_other_is_used(path: Path) -> None:
    with closing(WorkerLog(path, IDENTITY)) as log:
        first = fill(log)
        assert log.append(begun("too much"), 1) is None
        assert [it.number for it in records_after(path, IDENTITY, 0)] == [*range(1, first + 1)]
        log.turn()
        second = fill(log)
        both = records_after(path, IDENTITY, 0)
    assert [it.number for it in both] == [*range(1, first + second + 1)]
    assert path.stat().st_size == 2 * HALF_BYTES


def test_a_record_that_no_half_can_take_leaves_room_for_others(path: Path) -> None:
    with closing(WorkerLog(path, IDENTITY)) as log:
        assert log.append(Settle(call(intent("a"), note="x" * HALF_BYTES)), 1) is None
        append(log, "b")
    assert names(records_after(path, IDENTITY, 0)) == ["b"]


def test_what_a_half_had_before_it_was_used_again_is_never_seen_anew(path: Path) -> None:
    with closing(WorkerLog(path, IDENTITY)) as log:
        append(log, "a", "b", "c")
        for round_ in range(4):
            known = log.number
            log.turn()
            # Longer and shorter records than the half had at this place.
            append(log, "d" * (round_ * 7 + 1), "e")
            told = records_after(path, IDENTITY, known)
            assert [it.number for it in told] == [known + 1, known + 2]


def test_a_disk_that_takes_only_a_part_of_a_record_loses_that_one_alone(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(WorkerLog(path, IDENTITY)) as log:
        append(log, "a")
        used = _used(path)
        for room in (0, 1, 15, 16, 40):
            resource.setrlimit(resource.RLIMIT_FSIZE, (used + room, hard))
            try:
                assert log.append(begun("b" * 40), 1) is None
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert names(records_after(path, IDENTITY, 0)) == ["a"]
        append(log, "c")
    assert [(it.number, it.entry) for it in records_after(path, IDENTITY, 0)] == [
        (1, begun("a")),
        (2, begun("c")),
    ]


def test_a_reader_that_the_writer_overtakes_never_skips_a_record(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it skipped would count as booked, and be lost."""
    read = Path.read_bytes
    with closing(WorkerLog(path, IDENTITY)) as log:
        append(log, "a")

        def overtaken(self: Path) -> bytes:
            """The first half as it was, the second as it is a moment later."""
            first = read(self)[:HALF_BYTES]
            if log.number == 1:
                append(log, "b")
                log.turn()
                append(log, "c")
            return first + read(self)[HALF_BYTES:]

        monkeypatch.setattr(Path, "read_bytes", overtaken)
        for number in (0, 1):
            found = [it.number for it in records_after(path, IDENTITY, number)]
            assert found == [*range(number + 1, number + 1 + len(found))]


def test_a_record_of_another_version_is_told_and_not_passed_over(path: Path) -> None:
    body = msgspec.msgpack.encode((1, 5, ("Begun", "another form")))
    with closing(WorkerLog(path, IDENTITY)) as log:
        append(log, "a")
    head = Struct(">QII").pack(1, len(body), zlib.crc32(body, IDENTITY))
    path.write_bytes((head + body).ljust(2 * HALF_BYTES, b"\x00"))
    with pytest.raises(StoreError, match=r"1\.log cannot be read"):
        records_after(path, IDENTITY, 0)


def test_what_no_row_can_have_no_log_has(path: Path) -> None:
    with closing(WorkerLog(path, IDENTITY)) as log:
        assert log.append(begun("\ud800"), 1) is None
        append(log, "a")
    assert names(records_after(path, IDENTITY, 0)) == ["a"]


def _used(path: Path) -> int:
    """How many bytes of the first half are written; no record ends with a zero here."""
    return len(path.read_bytes()[:HALF_BYTES].rstrip(b"\x00"))


def test_every_kind_of_record_is_tested() -> None:
    said = b"".join(map(msgspec.json.encode, ENTRIES.values()))
    kinds = ("Begun", "Settle", "Usage", "Quarantined", "Charge", "Unpriced")
    assert all(f'"{kind}"'.encode() in said for kind in kinds)
