"""The dialect of a connection, judged by its messages: the verdict, its reasons and its cost."""

import struct
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conversation import Conversation, eventfd
from tests.session.dialects import begin, judge, named
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, RecordKind
from vudissect.protocol.dialects import UPSTREAM_DIALECT
from vudissect.protocol.model import Channel, Side
from vudissect.session.dialect import Detector, detect_dialects
from vudissect.session.evidence import Reason

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.pcapng"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_real_programs_use_upstream(path: Path) -> None:
    verdicts = detect_dialects(read_capture(open_capture(str(path))))

    assert {verdict.dialect for verdict in verdicts.values()} == {UPSTREAM_DIALECT}


def test_a_rust_vmm_front_end_is_recognised_by_its_habit() -> None:
    talk = begin("upstream", 9)
    talk.front_end("GET_QUEUE_NUM", need_reply=True)
    talk.front_end("SET_CONFIG", flags=1, contents=bytes(1))

    assert judge(talk).dialect.key == "rust-cfgflags"


def test_without_the_habit_flag_1_is_live_migration() -> None:
    talk = begin("upstream", 9)
    talk.front_end("SET_CONFIG", flags=1, contents=bytes(1))

    assert judge(talk).dialect is UPSTREAM_DIALECT


def test_what_a_late_capture_missed_is_not_evidence() -> None:
    talk = Conversation()
    talk.front_end("GET_CONFIG", contents=bytes(8))
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)

    verdict = judge(talk)

    assert (verdict.dialect, verdict.evidence) == (UPSTREAM_DIALECT, ())


def test_without_messages_the_dialect_is_upstream() -> None:
    verdict = Detector().verdict

    assert (verdict.dialect, verdict.score, verdict.evidence) == (UPSTREAM_DIALECT, 0, ())


def test_a_big_endian_conversation_gets_the_same_verdict() -> None:
    talk = Conversation("big", named("spdk-nvme-v2").protocol)
    talk.front_end("NVME_ADMIN", opcode=6)

    assert judge(talk).dialect.key == "spdk-nvme-v2"


def test_lost_descriptors_are_not_evidence() -> None:
    talk = begin()
    talk.front_end("SET_BACKEND_REQ_FD", marks=Mark.DESCRIPTORS_LOST)

    assert judge(talk).evidence == ()


def test_every_connection_has_its_own_verdict() -> None:
    talk = begin("spdk-nvme-v2")
    talk.front_end("NVME_ADMIN", opcode=6, connection=2)

    verdicts = detect_dialects(talk.records)

    assert [verdict.dialect.key for verdict in verdicts.values()] == ["upstream", "spdk-nvme-v2"]


class TestVerdict:
    def test_it_names_the_message_and_the_reason_against_each_losing_dialect(self) -> None:
        talk = begin("probe-v2", 18)
        talk.ask("GET_DEVICE_ID", device_id=2)

        verdict = judge(talk)

        reply = talk.records[-1].frame
        against = {
            dialect.key
            for evidence in verdict.evidence
            if (evidence.frame, evidence.reason) == (reply, Reason.PAYLOAD)
            for dialect in evidence.against
        }
        assert "upstream" in against
        assert verdict.dialect not in [dialect for evidence in verdict.evidence for dialect in evidence.against]

    def test_it_has_the_runners_up_with_their_scores(self) -> None:
        talk = begin("probe-v2", 18)
        talk.ask("GET_DEVICE_ID", device_id=2)

        verdict = judge(talk)

        assert len(verdict.runners_up) >= 3
        assert all(score < verdict.score for _, score in verdict.runners_up)
        assert verdict.open_questions == ()

    def test_it_has_what_would_distinguish_two_dialects_that_fit_equally(self) -> None:
        talk = begin("crosvm-2022")
        talk.ask("GET_SHARED_MEMORY_REGIONS", regions=[{"id": 0}, {"id": 1}])

        verdict = judge(talk)

        question = next(question for question in verdict.open_questions if question.dialect.key == "crosvm-2023")
        assert verdict.dialect.key == "crosvm-2022"
        assert (Channel.MAIN, 42) in question.messages
        assert question.bits == (17, 31)

    def test_a_forced_dialect_is_in_effect_with_the_evidence_against_it(self) -> None:
        talk = begin("probe-v2", 18)
        talk.ask("GET_DEVICE_ID", device_id=2)
        detector = Detector(UPSTREAM_DIALECT)
        for record in talk.records:
            detector.see(record)

        assert detector.dialect is UPSTREAM_DIALECT
        assert detector.verdict.forced
        assert any(UPSTREAM_DIALECT in evidence.against for evidence in detector.verdict.evidence)
        assert detector.verdict.runners_up[0][0].key == "probe-v2"

    def test_later_evidence_settles_it(self) -> None:
        talk = begin("crosvm-2023")
        talk.ask("GET_SHARED_MEMORY_REGIONS", regions=[{"id": 0}, {"id": 1}])
        first = judge(talk).dialect.key
        talk.ask("SLEEP", success=1)

        assert (first, judge(talk).dialect.key) == ("crosvm-2022", "crosvm-2023")


class TestCost:
    def test_a_message_seen_before_is_not_new_evidence(self) -> None:
        talk = Conversation()
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(2),))
        detector = Detector()

        assert [detector.see(record) for record in talk.records] == [True, False]

    def test_other_contents_are_examined_only_a_few_times(self) -> None:
        talk = Conversation()
        for ring in range(100):
            talk.front_end("SET_VRING_NUM", index=ring, num=256)
        detector = Detector()

        assert sum(detector.see(record) for record in talk.records) == 4

    def test_an_endless_stream_of_new_messages_does_not_fill_the_memory(self) -> None:
        talk = Conversation()
        for number in range(100, 500):
            talk.raw(Side.FRONT_END, number.to_bytes(4, "little") + (1).to_bytes(8, "little"))
        detector = Detector()

        assert sum(detector.see(record) for record in talk.records) == 256

    def test_events_cut_messages_and_pictures_are_not_evidence(self) -> None:
        talk = Conversation()
        talk.event(RecordKind.NOTE, text="hello")
        talk.front_end("SET_VRING_NUM", index=0, num=256, cut_short=15)
        talk.back_end("UPDATE", Channel.GPU, width=1, height=1, pixels=bytes(4))
        detector = Detector()

        assert not any(detector.see(record) for record in talk.records)


@given(
    messages=st.lists(st.tuples(st.sampled_from([Side.FRONT_END, Side.BACK_END]), st.binary(max_size=60)), max_size=8)
)
def test_no_bytes_make_it_raise(messages: list[tuple[Side, bytes]]) -> None:
    talk = Conversation()
    for side, data in messages:
        talk.raw(side, data)

    assert detect_dialects(talk.records).keys() <= {1}


@settings(max_examples=25, deadline=None)
@given(
    numbers=st.lists(st.sampled_from([*range(50), 80, 1000, 0x80000000, 0x80000011]), max_size=12),
    flags=st.sampled_from([1, 2, 5, 6, 9, 13]),
    payload=st.binary(max_size=48),
)
def test_no_message_makes_it_raise(numbers: list[int], flags: int, payload: bytes) -> None:
    talk = Conversation()
    for number in numbers:
        for side, channel in product((Side.FRONT_END, Side.BACK_END), (Channel.MAIN, Channel.BACKEND)):
            header = struct.pack("<III", number, flags, len(payload))
            talk.raw(side, header + payload, channel)

    assert detect_dialects(talk.records).keys() <= {1}
