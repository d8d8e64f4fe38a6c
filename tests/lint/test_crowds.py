"""However many rings, regions, requests and connections there are: one more message costs what it costs with a few."""

from collections.abc import Callable

import pytest

from tests.conversation import Conversation, eventfd, memfd
from tests.counting import steps
from vudissect.capture.record import RecordKind
from vudissect.lint.linter import Linter
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Side
from vudissect.session.session import Session

FEW, MANY = 30, 240
WORD = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES", "VERSION_1")
LOGGED = WORD | VIRTIO_FEATURES.mask("LOG_ALL")
PROTOCOL = PROTOCOL_FEATURES.mask(
    "MQ", "REPLY_ACK", "BACKEND_REQ", "CONFIGURE_MEM_SLOTS", "LOG_SHMFD", "STATUS", "SHMEM", "DEVICE_STATE"
)

Part = Callable[[Conversation, int], None]


def negotiated(talk: Conversation, features: int = WORD) -> None:
    talk.open("front", "back")
    talk.ask("GET_FEATURES", features=features)
    talk.ask("GET_PROTOCOL_FEATURES", features=PROTOCOL)
    talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL)
    talk.front_end("SET_OWNER")
    talk.front_end("SET_FEATURES", features=features)


def cost(crowd: Part, message: Part, number: int) -> int:
    """What a message costs a session and a linter where there are so many of something."""
    talk = Conversation()
    negotiated(talk)
    crowd(talk, number)
    before = len(talk.records)
    message(talk, number)
    session = Session(detect=True)
    linter = Linter(session)
    for record in talk.records[:before]:
        linter.check(session.feed(record))

    def rest() -> None:
        for record in talk.records[before:]:
            linter.check(session.feed(record))

    return steps(rest)


def stays_the_same(crowd: Part, message: Part) -> None:
    few, many = cost(crowd, message, FEW), cost(crowd, message, MANY)
    assert many < 1.3 * few, f"{few} steps with {FEW}, {many} with {MANY}"


def setting_up(talk: Conversation, index: int) -> None:
    talk.front_end("SET_VRING_NUM", index=index, num=256)
    talk.front_end("SET_VRING_BASE", index=index)
    talk.front_end("SET_VRING_ADDR", index=index, desc=index << 16, avail=index + 1 << 14, used=index + 2 << 14)
    talk.front_end("SET_VRING_KICK", index=index, descriptors=(eventfd(index),))


def running_rings(talk: Conversation, number: int) -> None:
    for index in range(number):
        setting_up(talk, index)
    for index in range(number):
        talk.front_end("SET_VRING_ENABLE", index=index, num=1)


def started_rings(talk: Conversation, number: int) -> None:
    for index in range(number):
        setting_up(talk, index)


def stopped_rings(talk: Conversation, number: int) -> None:
    running_rings(talk, number)
    for index in range(number):
        stop(talk, index)


def stop(talk: Conversation, index: int) -> None:
    talk.front_end("GET_VRING_BASE", index=index)
    talk.back_end("GET_VRING_BASE", index=index, num=5)


class TestRings:
    @pytest.mark.parametrize("crowd", [running_rings, started_rings, stopped_rings])
    @pytest.mark.parametrize(
        "message",
        [
            lambda talk, number: setting_up(talk, number - 1),
            lambda talk, number: setting_up(talk, number),
            lambda talk, number: talk.front_end("SET_VRING_ENABLE", index=number - 1, num=1),
            lambda talk, number: talk.front_end("SET_VRING_ENABLE", index=number - 1, num=0),
            lambda talk, number: talk.front_end("SET_VRING_CALL", index=number - 1, descriptors=(eventfd(9999),)),
            lambda talk, number: talk.front_end("SET_STATUS", status=0),
            lambda talk, number: talk.front_end("SET_FEATURES", features=LOGGED),
        ],
        ids=["set up", "one more", "enable", "disable", "call", "reset", "features"],
    )
    def test_a_message_for_one(self, crowd: Part, message: Part) -> None:
        stays_the_same(crowd, message)

    @pytest.mark.parametrize("crowd", [running_rings, started_rings])
    def test_the_stop_of_the_one_after_the_other(self, crowd: Part) -> None:
        def all_but_the_last(talk: Conversation, number: int) -> None:
            crowd(talk, number)
            for index in range(number - 2):
                stop(talk, index)

        stays_the_same(all_but_the_last, lambda talk, number: stop(talk, number - 2))

    def test_an_order_to_all_costs_the_same_for_each(self) -> None:
        def order(talk: Conversation, _: int) -> None:
            talk.front_end("SET_FEATURES", features=0)
            talk.front_end("RESET_OWNER")

        few, many = cost(started_rings, order, FEW), cost(started_rings, order, MANY)

        assert many < few * MANY / FEW

    def test_an_order_that_changes_nothing_costs_next_to_nothing(self) -> None:
        def order(talk: Conversation, _: int) -> None:
            talk.front_end("RESET_OWNER")

        assert cost(started_rings, order, MANY) < 100 * MANY


def regions(talk: Conversation, number: int) -> None:
    for place in range(number):
        region(talk, place)


def region(talk: Conversation, place: int) -> None:
    talk.front_end("ADD_MEM_REG", descriptors=(memfd(f"ram{place}"),), **where(place))


def where(place: int) -> dict[str, int]:
    return {"guest_addr": place << 21, "size": 1 << 20, "user_addr": place + (1 << 20) << 21}


def few_then_many_removed(talk: Conversation, number: int) -> None:
    regions(talk, 8)
    for place in range(8, number):
        region(talk, place)
        talk.front_end("REM_MEM_REG", **where(place))


class TestRegions:
    @pytest.mark.parametrize(
        "message",
        [
            region,
            lambda talk, number: talk.front_end("REM_MEM_REG", **where(number // 2)),
            lambda talk, number: talk.front_end("REM_MEM_REG", **where(number + 1)),
            lambda talk, number: region(talk, number // 2),
        ],
        ids=["added", "removed", "removed that is not there", "added over another"],
    )
    def test_one_more_or_less(self, message: Part) -> None:
        stays_the_same(regions, message)

    def test_thousands_that_have_come_and_gone(self) -> None:
        stays_the_same(few_then_many_removed, region)


def owed(talk: Conversation, number: int) -> None:
    for _ in range(number):
        talk.front_end("SET_VRING_NUM", index=0, num=256, need_reply=True)


def overtaken(talk: Conversation, number: int) -> None:
    owed(talk, number)
    talk.ask("GET_QUEUE_NUM", queues=1)


class TestRequests:
    @pytest.mark.parametrize(
        "message",
        [
            lambda talk, _: talk.ask("GET_QUEUE_NUM", queues=1),
            lambda talk, _: talk.back_end("SET_VRING_NUM", ack=0),
            lambda talk, _: setting_up(talk, 1),
        ],
        ids=["another one", "an answer", "for a ring"],
    )
    def test_others_that_were_overtaken(self, message: Part) -> None:
        stays_the_same(overtaken, message)

    def test_while_the_log_is_on(self) -> None:
        def crowd(talk: Conversation, number: int) -> None:
            talk.front_end("SET_FEATURES", features=LOGGED)
            owed(talk, number)
            setting_up(talk, 1)

        stays_the_same(crowd, lambda talk, _: setting_up(talk, 1))

    def test_answers_that_nobody_asked_for_are_not_looked_for_twice(self) -> None:
        def crowd(talk: Conversation, number: int) -> None:
            owed(talk, number)
            talk.back_end("GET_CONFIG", contents=b"")

        stays_the_same(crowd, lambda talk, _: talk.back_end("GET_CONFIG", contents=b""))


def mappings(talk: Conversation, number: int) -> None:
    for page in range(number):
        mapping(talk, page)


def mapping(talk: Conversation, page: int, name: str = "SHMEM_MAP") -> None:
    talk.back_end(name, Channel.BACKEND, shmid=0, shm_offset=page << 12, len=1 << 12)


class TestMappings:
    @pytest.mark.parametrize("name", ["SHMEM_MAP", "SHMEM_UNMAP"])
    def test_of_shared_memory(self, name: str) -> None:
        stays_the_same(mappings, lambda talk, number: mapping(talk, number - (name == "SHMEM_UNMAP"), name))

    def test_that_are_not_there(self) -> None:
        stays_the_same(mappings, lambda talk, number: mapping(talk, number + 5, "SHMEM_UNMAP"))


def connections(talk: Conversation, number: int) -> None:
    for connection in range(2, number):
        talk.open(connection=connection)
        talk.front_end("GET_FEATURES", connection=connection)


class TestConnections:
    def test_that_stay_open(self) -> None:
        stays_the_same(connections, lambda talk, number: talk.front_end("SET_OWNER", connection=number))

    def test_that_said_nothing_since_the_last_gap(self) -> None:
        def crowd(talk: Conversation, number: int) -> None:
            connections(talk, number)
            talk.event(RecordKind.GAP, connection=0)

        stays_the_same(crowd, lambda talk, _: talk.event(RecordKind.GAP, connection=0))

    def test_that_are_long_forgotten_keep_one_event(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vudissect.lint.linter._MOST_FRESH", 10)
        talk, session = Conversation(), Session()
        linter = Linter(session)
        for connection in range(1, 100):
            talk.open(connection=connection)
            talk.ask("GET_FEATURES", features=WORD)
            talk.front_end("GET_FEATURES", connection=connection)

        for record in talk.records:
            linter.check(session.feed(record))

        kept = [sum(map(len, each.recent)) for each in linter._connections.values()]
        assert kept[1:-10] == [1] * (len(kept) - 11)
        assert all(memory for each in list(linter._connections.values())[1:-10] for memory in each.memories.values())

    def test_that_are_busy_again_are_forgotten_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vudissect.lint.linter._MOST_FRESH", 10)
        talk, session = Conversation(), Session()
        linter = Linter(session)
        for turn in range(20):
            for connection in range(1, 30):
                talk.front_end("SET_VRING_NUM", index=turn, num=256, connection=connection)

        for record in talk.records:
            linter.check(session.feed(record))

        assert sum(len(recent) for each in linter._connections.values() for recent in each.recent) < 30 * 9

    def test_a_rule_is_told_so_often_over_all_of_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vudissect.lint.linter._MOST_OVER_ALL", 30)
        talk, session = Conversation(), Session()
        linter = Linter(session)
        for connection in range(1, 100):
            talk.front_end("SET_VRING_NUM", index=0, num=0, connection=connection)

        found = [finding.rule for record in talk.records for finding in linter.check(session.feed(record))]

        assert found.count("VU-VRG-02") == 30
        assert linter.withheld["VU-VRG-02"] == 69


def test_pictures_are_remembered_by_their_beginning() -> None:
    talk, session = Conversation(), Session()
    linter = Linter(session)
    for _ in range(3):
        talk.raw(Side.BACK_END, b"\x06\0\0\0\0\0\0\0\0\0\x10\0" + bytes(1 << 20), Channel.GPU)

    for record in talk.records:
        linter.check(session.feed(record))

    assert max(len(event.record.data) for event in linter._connections[1].recent[Channel.GPU]) == 1024


def test_a_number_that_is_used_again_is_another_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vudissect.lint.linter._MOST_FRESH", 2)
    talk, session = Conversation(), Session()
    linter = Linter(session)
    for _ in range(5):
        for connection in (1, 2):
            talk.front_end("SET_VRING_NUM", index=0, num=0, connection=connection)
            talk.close("front-end", connection=connection)

    found = [finding.rule for record in talk.records for finding in linter.check(session.feed(record))]

    assert found.count("VU-VRG-02") == 10
