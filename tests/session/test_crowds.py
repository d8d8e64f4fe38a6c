"""What a session keeps of very many connections, descriptors and messages, and what it examines again."""

import pytest

from tests.conversation import Conversation, eventfd, memfd
from tests.counting import steps
from tests.session.test_watching import draft
from vudissect.capture.record import Record, RecordKind
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.unknown import unknown_row
from vudissect.session.arbiter import Arbiter
from vudissect.session.dialect import Detector
from vudissect.session.memory import NO_MEMORY, Region
from vudissect.session.names import DescriptorNames
from vudissect.session.pairing import Pending, Request
from vudissect.session.session import Session
from vudissect.session.state import State

WORD = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES", "VERSION_1")


def arbiter_of(session: Session) -> Arbiter:
    assert session._arbiter is not None
    return session._arbiter


def fed(talk: Conversation) -> Session:
    session = Session(detect=True)
    for record in talk.records:
        session.feed(record)
    return session


class TestWatching:
    def test_records_are_dropped_once_the_dialect_is_settled(self) -> None:
        talk = Conversation()
        for index in range(600):
            talk.front_end("SET_VRING_NUM", index=index, num=256)

        judge = arbiter_of(fed(talk))

        watch = judge._watches.get(1)
        assert watch is not None
        assert (watch.records, judge.is_watched(1)) == ([], False)

    def test_pictures_are_not_kept(self) -> None:
        talk = Conversation()
        for _ in range(20):
            talk.raw(Side.BACK_END, b"\x06\0\0\0\0\0\0\0\0\0\x10\0" + bytes(1 << 20), Channel.GPU)

        watch = arbiter_of(fed(talk))._watches.get(1)

        assert watch is not None
        assert watch.records == []

    def test_with_very_many_connections_the_oldest_are_no_longer_watched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vudissect.session.watch._MOST_OF_ALL", 100_000)
        talk = Conversation()
        for connection in range(1, 200):
            talk.open(connection=connection)
            talk.front_end("SET_OWNER", connection=connection)

        session = fed(talk)

        assert len(arbiter_of(session)._watches) < 50
        assert session.dialect(1) is None
        assert session.dialect(199) is not None
        assert session.states[1].owned_since == 2

    def test_connections_that_are_no_longer_watched_stay_in_their_dialect(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("vudissect.session.watch._MOST_OF_ALL", 5_000)
        talk = Conversation()
        talk.front_end("SET_OWNER", connection=1)
        for _ in range(4):
            talk.front_end("SET_OWNER", connection=2)
        talk.front_end(150, payload=bytes(8), connection=1)

        assert fed(talk).states[1].protocol.key == "upstream"

    def test_a_closed_connection_makes_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vudissect.session.watch._MOST_OF_ALL", 100_000)
        talk = Conversation()
        talk.front_end("SET_OWNER", connection=1)
        for connection in range(2, 200):
            talk.front_end("SET_OWNER", connection=connection)
            talk.close("front-end", connection=connection)

        session = fed(talk)

        assert session.dialect(1) is not None
        assert len(arbiter_of(session)._watches) == 1

    def test_evidence_is_weighed_once(self) -> None:
        def last_of(number: int) -> int:
            detector = Detector()
            records = contested(number)
            for record in records[:-1]:
                detector.see(record)
                assert detector.dialect
            return steps(lambda: (detector.see(records[-1]), detector.dialect))

        few, many = last_of(20), last_of(200)

        assert many < 1.3 * few


def contested(number: int) -> list[Record]:
    talk = Conversation()
    for size in range(number):
        talk.front_end(300 + size % 50, payload=bytes(size))
    return talk.records


class TestGaps:
    def test_the_second_gap_also_interrupts_all_connections(self) -> None:
        talk = Conversation()
        for connection in (1, 2):
            talk.open(connection=connection)
            talk.front_end("GET_FEATURES", connection=connection)
        talk.event(RecordKind.GAP, connection=0)
        talk.front_end("GET_FEATURES", connection=1)
        talk.event(RecordKind.GAP, connection=0)

        session = fed(talk)

        assert [session.states[number].gap for number in (1, 2)] == [True, True]
        assert session.unanswered() == ()

    def test_a_connection_that_is_read_again_in_another_dialect_is_interrupted_too(self) -> None:
        talk = draft()
        session = Session(detect=True)
        records = iter(talk.records)
        while session.feed(next(records)).after.protocol.key != "mst-2015":
            pass
        talk.event(RecordKind.GAP, connection=0)

        session.feed(talk.records[-1])

        assert session.states[1].gap


class TestRings:
    def connection(self, number: int) -> State:
        talk = Conversation()
        talk.front_end("SET_FEATURES", features=WORD)
        for index in range(number):
            talk.front_end("SET_VRING_KICK", index=index, descriptors=(eventfd(index // 2),))
            talk.front_end("SET_VRING_ENABLE", index=index, num=1)
        for index in range(0, number, 4):
            talk.front_end("GET_VRING_BASE", index=index)
        talk.front_end("SET_VRING_KICK", index=1, descriptors=(eventfd(100),))
        return talk.events()[-1].after

    @pytest.mark.parametrize("number", [1, 2, 8, 256])
    def test_the_counts_are_those_of_the_rings(self, number: int) -> None:
        rings = self.connection(number).rings
        each = rings.values()

        assert rings.started == sum(ring.started.value == "started" for ring in each)
        assert rings.running == sum(ring.running for ring in each)
        assert rings.used == sum(ring.runs_since > 0 for ring in each)
        assert rings.latest_run == max(ring.runs_since for ring in each)
        started = [ring.kick for ring in each if ring.started.value == "started"]
        assert rings.kicks == {name: started.count(name) for name in started}


class TestNames:
    def test_the_oldest_is_forgotten_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vudissect.session.names._MOST_KNOWN", 3)
        names = DescriptorNames()

        told = [names.name(eventfd(number), 1).name for number in (1, 2, 3, 1, 4, 2, 1)]

        assert told == ["evt#1", "evt#2", "evt#3", "evt#1", "evt#4", "evt#2", "evt#5"]
        assert len(names._known) == len(names._identities) == 3


class TestMemory:
    def test_nothing_is_kept_of_removed_regions(self) -> None:
        memory = NO_MEMORY
        for number in range(20):
            memory = memory.with_region(Region(0, number << 20, 1 << 20, number << 20, 0, f"mem#{number}"))
        for number in range(5000):
            memory = memory.with_region(Region(0, 1 << 40, 1 << 20, 1 << 40, 0, f"gone#{number}"))
            gone = memory.find(1 << 40, 1 << 20, 1 << 40)
            assert gone is not None
            memory = memory.without(gone, 1)

        assert len(memory.regions) == len(memory.by_user) == len(memory.by_guest) == 20
        assert memory._free == (20,)

    def test_the_lowest_free_number_is_reused(self) -> None:
        memory = NO_MEMORY
        for number in range(5):
            memory = memory.with_region(Region(0, number, 1, number, 0, ""))
        for number in (3, 1):
            memory = memory.without(memory.regions[[each.number for each in memory.regions].index(number)], 1)
        for number in range(3):
            memory = memory.with_region(Region(0, 9 + number, 1, 0, 0, ""))

        assert [region.number for region in memory.regions] == [0, 2, 4, 1, 3, 5]

    def test_a_table_has_a_limited_number_of_regions(self) -> None:
        talk = Conversation()
        talk.front_end("SET_MEM_TABLE", regions=[{"size": 1}] * 5000, descriptors=(memfd(),))

        assert len(talk.events()[-1].after.memory.regions) == 1024


def request(frame: int, number: int, owed: bool = True) -> Request:
    return Request(frame, frame, Channel.MAIN, number, unknown_row(Channel.MAIN), owed, 0)


class TestWaiting:
    @pytest.mark.parametrize("before", [1, 31, 32, 33, 200])
    def test_an_overtaken_request_keeps_the_frame_of_the_first_answer_that_overtook_it(self, before: int) -> None:
        waiting = Pending()
        for frame in range(before):
            waiting.ask(request(frame, frame % 3, owed=frame % 2 == 0))
        waiting.ask(request(before, 7))
        waiting.ask(request(before + 1, 8))

        answered = [waiting.answer(number, 1000 + number) for number in (7, 8)]

        assert [each.frame for each in answered if each is not None] == [before, before + 1]
        assert [each.frame for each in waiting.owed()] == list(range(0, before, 2))
        assert {each.overtaken for each in waiting.owed()} == {1007}
        assert waiting.is_owed

    @pytest.mark.parametrize("number", [10, 100])
    def test_the_oldest_request_with_a_number_is_answered_wherever_it_is_queued(self, number: int) -> None:
        waiting = Pending()
        for frame in range(number):
            waiting.ask(request(frame, frame % 2))
        answered = [waiting.answer(1, 0) for _ in range(number // 2)]
        waiting.ask(request(number, 0))
        answered += [waiting.answer(0, 0) for _ in range(number // 2 + 1)]

        assert [each.frame for each in answered if each is not None] == [
            *range(1, number, 2), *range(0, number, 2), number
        ]  # fmt: skip
        assert not waiting.is_owed
        assert waiting.oldest(0) is None

    def test_ten_thousand_are_not_kept(self) -> None:
        waiting = Pending()
        for frame in range(10_000):
            waiting.ask(request(frame, 1))
        waiting.ask(request(10_000, 2))
        waiting.answer(2, 10_001)
        for frame in range(10_000):
            waiting.ask(request(20_000 + frame, 3))
        waiting.ask(request(40_000, 2))
        waiting.answer(2, 40_001)

        assert len(waiting.owed()) == 4096
