"""A trace for Perfetto: valid by Perfetto's own schema, with a track per side, channel and ring."""

from pathlib import Path
from typing import Any

import pytest
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema

from tests.conversation import Conversation
from tests.timing.talks import tracks_of
from vudissect.analysis import Analysis, Source, read
from vudissect.protocol.model import Channel
from vudissect.render.perfetto import PerfettoTrace
from vudissect.timing.migration import migrations

ROOT = Path(__file__).parents[2]
CAPTURES = sorted((ROOT / "captures").glob("*.pcapng"))
BEGIN, END, INSTANT = (getattr(schema.TrackEvent, f"TYPE_{name}") for name in ("SLICE_BEGIN", "SLICE_END", "INSTANT"))


def trace_of(*sources: Source) -> Any:
    """The trace, read by the classes that Perfetto ships."""
    data = bytearray()
    trace = PerfettoTrace(data.extend)
    for number, source in enumerate(sources):
        analysis = Analysis(read(source))
        trace.begin(f"{number}.pcapng")
        for event, findings in analysis:
            trace.event(event, findings)
        trace.end(analysis.finish())
    for migration in migrations(tracks_of(*map(read, sources))):
        trace.migration(migration)
    return schema.Trace.FromString(bytes(data))


def tracks(trace: Any) -> dict[int, str]:
    """The names of tracks, each with those of the tracks above it."""
    names: dict[int, str] = {}
    for packet in trace.packet:
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            above = f"{names[track.parent_uuid]}: " if track.parent_uuid else ""
            names[track.uuid] = above + track.name
    return names


def events(trace: Any, kind: int) -> list[Any]:
    return [each.track_event for each in trace.packet if each.HasField("track_event") and each.track_event.type == kind]


def unknown_fields(message: Any) -> int:
    """How many fields the schema does not have, in the message and below."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    below = 0
    for field, value in message.ListFields():
        if field.message_type is not None:
            # A field of one message, or of many.
            below += sum(map(unknown_fields, [value] if hasattr(value, "ListFields") else value))
    return len(UnknownFieldSet(message)) + below


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_trace_of_every_capture_fits_the_schema(path: Path) -> None:
    trace = trace_of(path)

    assert len(trace.packet) > 10
    assert unknown_fields(trace) == 0
    assert {packet.WhichOneof("data") for packet in trace.packet} == {"track_event", "track_descriptor"}


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_slices_of_a_track_end_before_the_next_begins(path: Path) -> None:
    open_since: dict[int, int] = {}
    for packet in trace_of(path).packet:
        event = packet.track_event
        if event.type == BEGIN:
            assert event.track_uuid not in open_since
            open_since[event.track_uuid] = packet.timestamp
        elif event.type == END:
            assert open_since.pop(event.track_uuid) <= packet.timestamp

    assert open_since == {}


def test_every_event_is_on_a_track_that_was_described_before() -> None:
    known: set[int] = set()
    for packet in trace_of(CAPTURES[0]).packet:
        if packet.HasField("track_descriptor"):
            known.add(packet.track_descriptor.uuid)
        else:
            assert packet.track_event.track_uuid in known


def test_there_is_a_track_per_side_channel_and_ring() -> None:
    path = ROOT / "captures" / "qemu-7.2-net-iommu-dpdk-22.11.pcapng"

    assert sorted(tracks(trace_of(path)).values()) == [
        "0.pcapng, connection 1",
        "0.pcapng, connection 1: back-end",
        "0.pcapng, connection 1: back-end, backend channel",
        "0.pcapng, connection 1: findings",
        "0.pcapng, connection 1: front-end",
        "0.pcapng, connection 1: phases",
        "0.pcapng, connection 1: ring 0",
        "0.pcapng, connection 1: ring 1",
    ]


def test_a_flow_leads_from_the_request_to_its_answer() -> None:
    talk = Conversation()
    talk.front_end("GET_FEATURES")
    talk.front_end("GET_QUEUE_NUM")
    talk.back_end("GET_FEATURES", features=0)
    talk.back_end("GET_QUEUE_NUM", queues=1)
    trace = trace_of(talk.records)
    names = tracks(trace)
    ends = [(names[each.track_uuid].rpartition(": ")[2], each.name, *each.flow_ids) for each in events(trace, BEGIN)]
    flows = {flow: [end[:2] for end in ends if end[2:] == (flow,)] for _, _, *found in ends for flow in found}

    assert sorted(flows.values()) == [
        [("front-end", "GET_FEATURES"), ("back-end", "GET_FEATURES")],
        [("front-end", "GET_QUEUE_NUM"), ("back-end", "GET_QUEUE_NUM")],
    ]


def test_a_message_of_another_channel_is_on_the_track_of_that_channel() -> None:
    talk = Conversation()
    talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND)
    trace = trace_of(talk.records)

    (track,) = {each.track_uuid for each in events(trace, BEGIN) if each.name == "CONFIG_CHANGE_MSG"}
    assert tracks(trace)[track].endswith("back-end, backend channel")


def test_a_finding_is_an_instant_on_the_track_of_the_side_to_blame() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)
    trace = trace_of(talk.records)

    (finding,) = (each for each in events(trace, INSTANT) if each.name == "VU-VRG-03")
    assert tracks(trace)[finding.track_uuid].endswith("front-end")
    assert {each.name: each.string_value for each in finding.debug_annotations}["severity"] == "error"


def test_the_parts_of_a_migration_have_a_track_of_their_own() -> None:
    folder = ROOT / "tests" / "timing"
    trace = trace_of(folder / "source.pcapng", folder / "destination.pcapng")
    (track,) = (number for number, name in tracks(trace).items() if name == "migration")

    assert len([each for each in events(trace, BEGIN) if each.track_uuid == track]) == 11
