"""What a summary knows of a conversation."""

from collections.abc import Iterable
from pathlib import Path

from tests.conversation import MILLISECOND, SECOND, Conversation, eventfd, memfd
from vudissect.analysis import Analysis, read
from vudissect.capture.observation import Observation
from vudissect.capture.record import Record, RecordKind
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Device, Side
from vudissect.summary.collect import Collector
from vudissect.summary.values import Outcome, Summary, Traffic
from vudissect.summary.words import end_text, missing_texts, next_command, stall_text, verdict_text

CAPTURES = Path(__file__).parents[2] / "captures"


def summary_of(records: Iterable[Record], cut: str = "", device: Device | None = None) -> Summary:
    collector, analysis = Collector(), Analysis(records, device=device)
    for _ in collector.watch(analysis):
        pass
    return collector.finish(analysis.session, analysis.finish(), "talk.pcapng", cut=cut)


def negotiated() -> Conversation:
    talk = Conversation()
    talk.open("qemu-system-x86", "virtiofsd")
    talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1", "PROTOCOL_FEATURES", "EVENT_IDX"))
    talk.ask("GET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("MQ", "CONFIGURE_MEM_SLOTS"))
    talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("MQ"))
    talk.front_end("SET_OWNER")
    talk.front_end("SET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1", "PROTOCOL_FEATURES"))
    return talk


def running() -> Conversation:
    talk = negotiated()
    region = {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000}
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(size=1 << 20),))
    talk.front_end("SET_VRING_NUM", index=0, num=256)
    talk.front_end("SET_VRING_BASE", index=0)
    place = 0x7F00_0000_0000
    talk.front_end("SET_VRING_ADDR", index=0, desc=place, avail=place + 0x2000, used=place + 0x4000)
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)
    return talk


def test_the_peers_are_named_with_what_they_know_of_the_protocol() -> None:
    shown = summary_of(negotiated().records).shown

    assert shown is not None
    assert (shown.front_end.name, str(shown.front_end.since)) == ("qemu-system-x86", "QEMU 2.5")
    assert (shown.back_end.name, str(shown.back_end.since)) == ("virtiofsd", "QEMU 5.1")
    assert shown.back_end.feature == "CONFIGURE_MEM_SLOTS"


def test_the_name_of_the_executable_is_not_cut() -> None:
    talk = Conversation()
    talk.event(
        RecordKind.CONNECTION_OPENED,
        back_end_command="qemu-storage-da",
        back_end_executable="/usr/bin/qemu-storage-daemon",
    )

    shown = summary_of(talk.records).shown
    assert shown is not None
    assert shown.back_end.name == "qemu-storage-daemon"


def test_messages_and_descriptors_are_counted_by_channel_and_side() -> None:
    talk = running()
    talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND)
    summary = summary_of(talk.records)

    assert summary.shown is not None
    assert summary.shown.traffic == (
        Traffic(Channel.MAIN, Side.FRONT_END, 11, 2),
        Traffic(Channel.MAIN, Side.BACK_END, 2, 0),
        Traffic(Channel.BACKEND, Side.BACK_END, 1, 0),
    )
    assert (summary.messages, summary.descriptors) == (14, 2)


def test_the_three_slowest_answers_come_slowest_first() -> None:
    talk = Conversation()
    for milliseconds in (2, 7, 1, 9, 3):
        talk.front_end("GET_QUEUE_NUM")
        talk.back_end("GET_QUEUE_NUM", queues=1, after=milliseconds * MILLISECOND)

    shown = summary_of(talk.records).shown
    assert shown is not None
    assert [(answer.frame, answer.latency // 100_000) for answer in shown.slowest] == [(8, 89), (4, 69), (10, 29)]


def test_the_end_is_who_closed_it_and_after_what() -> None:
    talk = negotiated()
    talk.front_end("GET_QUEUE_NUM")
    talk.silence(2 * SECOND)
    talk.close("back-end", "reset")

    shown = summary_of(talk.records).shown
    assert shown is not None
    assert end_text(shown.end) == (
        "the back-end closed the connection (reset), 2.0 s after GET_QUEUE_NUM (#9); never answered: GET_QUEUE_NUM (#9)"
    )


def test_a_capture_may_end_before_the_connection_does() -> None:
    shown = summary_of(running().records).shown

    assert shown is not None
    assert end_text(shown.end).startswith("the connection is open where the capture ends, 0 ms after SET_VRING_ENABLE")


def test_the_verdict_on_a_healthy_session_is_what_happened_in_it() -> None:
    summary = summary_of(read(CAPTURES / "qemu-7.2-blk-qsd.pcapng"))

    assert summary.verdict.outcome is Outcome.FINE
    assert verdict_text(summary) == "nothing is wrong: the device ran until the front-end closed the connection"


def test_a_verdict_on_a_part_is_limited_to_it() -> None:
    summary = summary_of(read(CAPTURES / "qemu-7.2-blk-qsd.pcapng"), cut="the file ends early")

    assert verdict_text(summary).endswith("the front-end closed the connection, in the part that the capture has")


def test_the_verdict_names_side_rule_and_frame() -> None:
    talk = negotiated()
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)
    summary = summary_of(talk.records)

    assert summary.verdict.outcome is Outcome.BROKEN
    assert verdict_text(summary) == (
        "the front-end is wrong (VU-VRG-03 in #9): ring 3 is enabled with 7; only 0 and 1 are defined"
    )


def test_the_next_command_shows_the_frames_of_the_verdict() -> None:
    talk = negotiated()
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)

    assert next_command(summary_of(talk.records))[2:] == ("talk.pcapng", "-Y", "frame>=1 and frame<=17")


def test_without_messages_there_is_no_verdict() -> None:
    summary = summary_of([])

    assert summary.verdict.outcome is Outcome.EMPTY
    assert verdict_text(summary) == "there are no vhost-user messages in this capture"


def test_what_was_missed_at_the_beginning_is_said() -> None:
    talk = running()
    summary = summary_of(talk.records[8:])

    assert list(missing_texts(summary.missing)) == [
        "the beginning of connection 1 was not recorded: what was set before is unknown"
    ]
    assert summary.shown is not None
    assert summary.shown.state.features.acked is None


def test_gaps_are_counted_with_the_messages_that_they_lost() -> None:
    talk = negotiated()
    for lost in (3, 4):
        talk.event(RecordKind.GAP, messages=lost, reason="the disk was full")

    (text,) = missing_texts(summary_of(talk.records).missing)
    assert text == "7 messages are missing in 2 gaps: what they changed is unknown"


def test_the_cut_at_the_end_is_said() -> None:
    (text,) = missing_texts(summary_of(negotiated().records, cut="the file ends in the middle of a record").missing)

    assert text == "the file ends in the middle of a record: what came after is unknown"


def test_of_very_many_connections_only_some_are_kept() -> None:
    talk = Conversation()
    for number in range(1, 301):
        talk.open("a", "b", connection=number)
        talk.front_end("GET_FEATURES", connection=number)
        talk.back_end("GET_FEATURES", features=0, connection=number)
        talk.close("front-end", connection=number)
    summary = summary_of(talk.records)

    assert summary.total == 300
    assert [each.number for each in summary.connections][:1] == [1]
    assert summary.connections[-1].number == 300
    assert len(summary.connections) <= 48


def test_the_connection_of_the_verdict_is_shown() -> None:
    talk = Conversation()
    for number in (1, 2, 3):
        talk.open("a", "b", connection=number)
        if number == 2:
            talk.front_end("SET_VRING_ENABLE", index=3, num=7, connection=2)
        talk.close("front-end", connection=number)

    shown = summary_of(talk.records).shown
    assert shown is not None
    assert shown.number == 2


def stuck() -> Conversation:
    talk = running()
    seen = Observation(0, 0, 35, 34, 1, 2 * SECOND, kick=1, kick_unread=2 * SECOND, request="request 34: flush")
    talk.silence(5 * SECOND)
    talk.event(RecordKind.RING_OBSERVED, Channel.MAIN, 1, MILLISECOND, **seen.details)
    return talk


def test_the_request_that_stalls_is_named_with_since_when_and_whose_turn_it_is() -> None:
    talk = stuck()
    talk.silence(3 * SECOND)
    talk.front_end("GET_CONFIG", offset=0, contents=bytes(8))

    assert stall_text(summary_of(talk.records, device=device_by_name("blk"))) == (
        "ring 0: request 34: flush has waited since 3.0 s, for 5.0 s; "
        "it is the turn of the back-end: its kick is unread (#15)"
    )


def test_nothing_stalls_in_rings_that_were_not_seen() -> None:
    assert stall_text(summary_of(running().records)) == ""


def test_a_stall_in_another_connection_than_the_one_to_look_at_is_named_with_it() -> None:
    talk = stuck()
    talk.close("back-end")
    talk.open("qemu", "disk", connection=2)

    summary = summary_of(talk.records, device=device_by_name("blk"))
    shown = summary._replace(shown=summary.connections[-1])

    assert stall_text(shown).startswith("connection 1, ring 0: request 34: flush has waited since")


def test_injected_faults_are_counted_by_what_they_did() -> None:
    talk = negotiated()
    for number, action in ((1, "delay"), (2, "drop"), (1, "delay")):
        talk.event(RecordKind.FAULT, fault=number, text="SET_OWNER : x", outcome="injected", action=action)
    assert summary_of(talk.records).faults.text == "3 faults injected: 2 delay, 1 drop"

    # A composed one has only the text.
    talk.event(RecordKind.FAULT, fault=3, text="SET_OWNER : add-fd pipe, delay 1s ; count=1", outcome="not injected")
    text = "3 faults injected: 2 delay, 1 drop; 1 not injected: 1 add-fd+delay"
    assert summary_of(talk.records).faults.text == text


def test_without_faults_nothing_is_said_about_them() -> None:
    assert summary_of(negotiated().records).faults.text == ""
