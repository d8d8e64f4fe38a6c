"""What a capture shows of a line of a log: how connections ended, what was refused, where messages are."""

from pathlib import Path

import pytest

from tests.conversation import MILLISECOND, SECOND, Conversation, eventfd
from tests.interop.scenarios import SCENARIOS
from vudissect.analysis import Analysis
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, Record
from vudissect.conversation.text import read_conversation
from vudissect.lint.dictionary.evidence import Evidence
from vudissect.lint.dictionary.recognise import Recognised, recognise
from vudissect.lint.dictionary.ties import Tie, tie
from vudissect.protocol.model import Channel

ROOT = Path(__file__).parents[2]
LOST = "qemu: Failed to set msg fds."


def evidence_of(records: list[Record]) -> Evidence:
    evidence = Evidence()
    analysis = Analysis(records)
    for event, findings in analysis:
        evidence.add(event, findings)
    evidence.finish(analysis.finish(), analysis.session)
    return evidence


def only(line: str) -> Recognised:
    (found,) = recognise([line])
    return found


def tied(talk: Conversation, line: str) -> Tie:
    return tie(only(line), evidence_of(talk.records))


@pytest.fixture
def talk() -> Conversation:
    talk = Conversation()
    talk.open("qemu", "disk")
    talk.ask("GET_FEATURES")
    talk.front_end("SET_OWNER")
    return talk


class TestAConnectionThatWasClosed:
    def test_it_is_named_with_what_came_before(self, talk: Conversation) -> None:
        talk.close("back-end", "reset", after=5 * MILLISECOND)

        assert tied(talk, LOST).sentences == (
            "connection 1 (qemu, disk) was closed by the back-end (reset) in #5: the last message from the front-end "
            "is "
            "SET_OWNER (#4), 5 ms earlier; its own last message is GET_FEATURES (#3)",
        )

    def test_with_the_rings_that_ran_and_the_answers_that_are_missing(self, talk: Conversation) -> None:
        talk.front_end("SET_FEATURES", features=0)
        talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd("kick"),))
        talk.front_end("SET_VRING_ENABLE", index=0, num=1)
        talk.front_end("GET_VRING_BASE", index=1)
        talk.close("back-end")
        (first, *_) = tied(talk, "vhost VQ 0 ring restore failed: -5: Input/output error (5)").sentences

        assert "GET_VRING_BASE of ring 1 (#8), 1 ms earlier" in first
        assert "not answered: GET_VRING_BASE (#8); ring 0 was running" in first

    def test_what_was_not_delivered_is_not_the_last_message(self, talk: Conversation) -> None:
        talk.front_end("SET_FEATURES", features=0, marks=Mark.NOT_FORWARDED)
        talk.close("back-end")
        (sentence,) = tied(talk, LOST).sentences

        assert "is SET_OWNER (#4)" in sentence
        assert sentence.endswith("1 later message could not be delivered")

    def test_the_other_side_has_closed_it(self, talk: Conversation) -> None:
        talk.close("front-end")

        assert "closed by the front-end (eof) in #5" in tied(talk, "VHOST_CONFIG: vhost peer closed").sentences[0]
        assert tied(talk, LOST).sentences[0] == "no connection was closed by the back-end in this capture"

    def test_a_back_end_that_refuses_closes_it_itself(self, talk: Conversation) -> None:
        talk.close("back-end")

        assert "closed by the back-end" in tied(talk, "VHOST_CONFIG: vhost message handling failed.").sentences[0]

    def test_of_many_those_that_fit_the_message_come_first(self) -> None:
        talk = Conversation()
        for number in range(1, 6):
            talk.open(connection=number)
            talk.front_end("GET_QUEUE_NUM" if number == 4 else "GET_FEATURES", connection=number)
            talk.close("back-end", connection=number)
        first, *_, more, _ = tied(
            talk, "Failed to read msg header. Read 0 instead of 12. Original request 17"
        ).sentences

        assert first.startswith("connection 4 was closed")
        assert more == "2 other connections closed by the back-end"

    def test_findings_on_the_last_message_come_with_it(self, talk: Conversation) -> None:
        talk.front_end("SET_VRING_ENABLE", index=0, num=7)
        talk.close("back-end")

        assert "VU-VRG-03" in {finding.rule for finding in tied(talk, LOST).findings}


class TestARefusal:
    LINE = "Failed to set features: VhostUserProtocol(BackendInternalError)"

    def test_it_is_named_with_its_answer(self, talk: Conversation) -> None:
        talk.front_end("SET_PROTOCOL_FEATURES", features=1 << 3)
        talk.front_end("SET_FEATURES", features=0, need_reply=True)
        talk.back_end("SET_FEATURES", ack=1, after=3 * MILLISECOND)

        shown = tied(talk, self.LINE)

        assert shown.sentences[0] == "SET_FEATURES (#6) was refused: the answer in #7 is 0x1, after 3 ms"
        assert "VU-RPL-05" in {finding.rule for finding in shown.findings}

    def test_without_one_the_connection_is_looked_at(self, talk: Conversation) -> None:
        assert tied(talk, self.LINE).sentences[:2] == (
            "no connection was closed in this capture",
            "connection 1 (qemu, disk) is open when the capture ends (#4), the last message is SET_OWNER (#4), "
            "nothing "
            "waits for an answer",
        )


class TestMessages:
    def test_one_that_is_named_is_looked_for(self, talk: Conversation) -> None:
        assert "SET_OWNER was sent in #4" in tied(talk, "Invalid fds in request: 3").sentences

    def test_and_missed(self, talk: Conversation) -> None:
        assert tied(talk, "Unhandled request: 40").sentences == ("GET_STATUS is not in this capture",)

    def test_also_one_that_the_table_does_not_know(self, talk: Conversation) -> None:
        talk.front_end(999, payload=b"")

        line = "vhost_user_write req:999 (SOMETHING_NEW) flags:0x1"
        assert tied(talk, line).sentences == ("message 999 was sent in #5",)

    def test_those_that_a_line_is_about_are_counted(self, talk: Conversation) -> None:
        for _ in range(3):
            talk.front_end("SET_VRING_ADDR", index=0)

        assert tied(talk, "vu_panic: Invalid vring_addr message").sentences == (
            "SET_VRING_ADDR was sent 3 times, first in #5 and last in #7",
        )


def test_what_is_waited_for_is_named(talk: Conversation) -> None:
    talk.front_end("GET_VRING_BASE", index=0)
    talk.silence(9 * SECOND)
    talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND)

    (first, *_) = tied(talk, "spdk: *ERROR*: Timeout waiting for event: stop session.").sentences

    assert first == "GET_VRING_BASE (#5) had no answer when the capture ends, 9.0 s later"


def test_connections_that_were_made_speak_against_a_missing_socket(talk: Conversation) -> None:
    (sentence,) = tied(talk, "qemu: Failed to connect to '/tmp/s': Connection refused").sentences

    assert sentence.startswith("one connection was opened in this capture, so the line is from before or after it")


@pytest.mark.parametrize(
    "line", ["vhost-user: something failed", "VHOST_CONFIG: (/s) virtio is now ready for processing."]
)
def test_where_it_shows_nothing_of_a_line_its_end_is_shown(talk: Conversation, line: str) -> None:
    assert tied(talk, line).sentences[0].startswith("connection 1 (qemu, disk) is open when the capture ends (#4)")


def test_an_empty_capture_says_so() -> None:
    assert tied(Conversation(), "vhost-user: something failed").sentences == ("there is no connection in this capture",)


@pytest.mark.parametrize(
    ("number", "line", "rule"),
    [
        (13, "ERROR: Failed setting the log base", "VU-RPL-06"),
        (20, "qemu: Failed to read msg header. Read 0 instead of 12. Original request 1.", "VU-RPL-08"),
        (21, LOST, "VU-TIM-02"),
        (26, "VHOST_CONFIG: received invalid negotiated features.", "VU-NEG-01"),
        (11, "Received unexpected msg type. Expected 22 received 40", "VU-RPL-02"),
        (37, "virtiofsd: Assertion `vmsg->fd_num <= 8' failed.", "VU-FD-05"),
    ],
)
def test_known_bugs_are_found_by_the_line_that_was_reported(number: int, line: str, rule: str) -> None:
    (scenario,) = (scenario for scenario in SCENARIOS if scenario.number == number)

    shown = tied(read_conversation(scenario.text), line)

    assert rule in {finding.rule for finding in shown.findings}


@pytest.mark.parametrize(
    ("capture", "line", "part"),
    [
        (
            "qemu-10.0-blk-qsd-back-end-killed",
            LOST,
            "connection 1 (qemu-system-x86, qemu-storage-da) was closed by the back-end (eof) in #46: the last "
            "message from "
            "the front-end is SET_VRING_ENABLE of ring 0 (#43)",
        ),
        (
            "dpdk-22.11-virtio-user-server-vhost-killed",
            "virtio_user: vhost_user_read(): Failed to recv msg hdr: 0 instead of 12.",
            "was closed by the back-end",
        ),
        (
            "qemu-7.2-net-iommu-dpdk-22.11",
            "VHOST_CONFIG: vhost peer closed",
            "was closed by the front-end (eof) in #1147",
        ),
        (
            "qemu-10.0-fs-virtiofsd-1.13-migration-source",
            "Error saving back-end state of virtio-user-fs device x",
            "SET_DEVICE_STATE_FD was sent in",
        ),
    ],
)
def test_captures_of_real_programs(capture: str, line: str, part: str) -> None:
    with open_capture(str(ROOT / "captures" / f"{capture}.pcapng")) as stream:
        shown = tie(only(line), evidence_of(list(read_capture(stream))))

    assert any(part in sentence for sentence in shown.sentences), shown.sentences
