"""Captures pass through scapy's readers and writers, and vudissect reads the result."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import EDecimal

import vudissect.scapy as vu
from tests.capture.examples import conversation, encoder
from vudissect.capture.files import open_capture
from vudissect.capture.packet import MAX_MESSAGE
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark
from vudissect.cli.show import command as show
from vudissect.protocol.model import Channel, Side
from vudissect.session.session import Session, foresee

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.pcapng"))


def transcript(path: Path) -> str:
    shown = CliRunner().invoke(show, [str(path)])
    assert shown.exit_code == 0, shown.output
    return shown.output


def records(path: Path) -> list[Any]:
    with open_capture(str(path)) as stream:
        return list(read_capture(stream))


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
class TestRealCaptures:
    def test_wrpcap_loses_nothing(self, capture: Path, tmp_path: Path) -> None:
        copy = tmp_path / "copy.pcapng"

        vu.wrpcap(str(copy), vu.rdpcap(str(capture)))

        assert records(copy) == records(capture)
        assert transcript(copy) == transcript(capture)
        packets, copied = vu.rdpcap(str(capture)), vu.rdpcap(str(copy))
        assert [(p.comments, p.sniffed_on, p.wirelen) for p in copied] == [
            (p.comments, p.sniffed_on, p.wirelen) for p in packets
        ]

    def test_scapys_own_writer_only_loses_digits_of_the_time(self, capture: Path, tmp_path: Path) -> None:
        copy = tmp_path / "copy.pcapng"

        with vu.PcapNgWriter(str(copy)) as writer, vu.PcapReader(str(capture)) as reader:
            for packet in reader:
                writer.write(packet)

        assert transcript(copy) == transcript(capture)
        assert [bytes(packet) for packet in vu.PcapNgReader(str(copy))] == [
            bytes(packet) for packet in vu.PcapNgReader(str(capture))
        ]

    def test_every_message_is_dissected_and_rebuilt_from_its_fields(self, capture: Path) -> None:
        for packet in vu.rdpcap(str(capture)):
            wire = bytes(packet)
            assert Raw not in packet, packet.summary()
            packet.clear_cache()
            assert bytes(packet) == wire

    def test_replies_are_paired_as_the_session_pairs_them(self, capture: Path) -> None:
        read = records(capture)
        paired = {
            (event.request.frame, event.record.frame)
            for event in Session(known=foresee(read), detect=True).events(read)
            if event.request is not None
        }
        packets = vu.rdpcap(str(capture))
        frames = {id(packet): number for number, packet in enumerate(packets, 1)}

        answered, _ = packets.sr()

        assert {(frames[id(asked)], frames[id(answer)]) for asked, answer in answered} == paired


def save(path: Path, *blocks: bytes) -> str:
    path.write_bytes(b"".join(blocks))
    return str(path)


def test_events_descriptors_and_all_channels_are_layers(tmp_path: Path) -> None:
    packets = vu.rdpcap(save(tmp_path / "boot.pcapng", *conversation()))

    assert [type(packet.payload.payload) for packet in packets] == [
        vu.VhostUserEvent,
        vu.VhostUser,
        vu.VhostUser,
        vu.VhostUserBackend,
        vu.VhostUserGpu,
        vu.VhostUserEvent,
    ]
    assert [descriptor.kind for descriptor in packets[3].descriptors] == [1, 3]


def test_a_big_endian_machine_is_understood(tmp_path: Path) -> None:
    wire = bytes(vu.layers_of(byte_order="big").VhostUser() / vu.layers_of(byte_order="big").SetVringNum(num=256))
    path = save(
        tmp_path / "big.pcapng",
        encoder().preamble(),
        encoder().message(1, Channel.MAIN, Side.FRONT_END, 1, 1, 2, wire, len(wire), Mark.BIG_ENDIAN),
    )

    (packet,) = vu.rdpcap(path)

    assert packet[vu.SetVringNum].num == 256
    assert packet.summary() == "1 F>B / SET_VRING_NUM / index=0 num=256"


def test_the_longest_packets_are_not_cut(tmp_path: Path) -> None:
    code = encoder(snaplen=MAX_MESSAGE)
    block = code.message(1, Channel.GPU, Side.BACK_END, 1, 1, 2, bytes(MAX_MESSAGE), MAX_MESSAGE)
    path, copy = save(tmp_path / "long.pcapng", code.preamble(), block), tmp_path / "copy.pcapng"

    vu.wrpcap(str(copy), vu.rdpcap(path))

    assert records(copy) == records(Path(path))


def test_a_capture_can_be_made_from_records_alone(tmp_path: Path) -> None:
    path = tmp_path / "made.pcapng"
    asked = vu.VhostUserRecord(sequence=1) / vu.VhostUser() / vu.GetFeatures()
    answer = vu.VhostUser() / vu.GetFeaturesReply(features="VERSION_1")
    packets: list[Packet] = [asked, vu.VhostUserRecord(sequence=2, sender="back-end", received=1000) / answer]
    for number, packet in enumerate(packets):
        packet.time = EDecimal("1700000000.000001000") + number * EDecimal("0.000000001")

    vu.wrpcap(str(path), packets)

    assert [record.time for record in records(path)] == [1_700_000_000_000_001_000, 1_700_000_000_000_001_001]
    assert "GET_FEATURES -> VERSION_1 [#1" in transcript(path)


def test_other_packets_are_written_as_scapy_does(tmp_path: Path) -> None:
    path = tmp_path / "ether.pcap"

    vu.wrpcap(str(path), [Ether()])

    assert type(vu.rdpcap(str(path))[0]) is Ether


def test_tshark_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "copy.pcapng"
    vu.wrpcap(str(path), vu.rdpcap(str(CAPTURES[0])))

    report = subprocess.run(
        ["capinfos", path], capture_output=True, text=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    )

    assert "File timestamp precision:  nanoseconds (9)\n" in report.stdout
