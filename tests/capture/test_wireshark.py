"""Wireshark's programs read our captures, and we read what they write."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.capture.examples import EPOCH_OFFSET, MEMORY, conversation, encoder, interface, read
from vudissect.capture import blocks
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.packet import MAX_MESSAGE
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, Side

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


class Wireshark:
    """Wireshark's programs, without the configuration and plugins of the user who runs the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, capture: bytes, name: str = "capture.pcapng") -> Path:
        path = self.folder / name
        path.write_bytes(capture)
        return path

    def run(self, *command: str | Path) -> str:
        environment = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin:/usr/local/bin", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [str(part) for part in command], env=environment, capture_output=True, encoding="utf-8", timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fields(self, capture: Path, *names: str) -> list[list[str]]:
        """The fields of each frame, with names for addresses."""
        wanted = [part for name in names for part in ("-e", name)]
        table = self.run("tshark", "-r", capture, "-N", "n", "-T", "fields", *wanted)
        return [line.split("\t") for line in table.splitlines()]


@pytest.fixture
def wireshark(tmp_path: Path) -> Wireshark:
    return Wireshark(tmp_path)


def test_tshark_shows_a_session_without_any_plugin(wireshark: Wireshark) -> None:
    capture = wireshark.save(b"".join(conversation()))

    rows = wireshark.fields(
        capture,
        *("frame.number", "frame.interface_name", "frame.time_epoch", "frame.len", "frame.cap_len"),
        *("_ws.col.Source", "_ws.col.Destination", "frame.comment"),
    )

    memory = "memfd of 268435456 bytes /memfd:pc.ram (deleted)"
    opened = r"connection 1 opened: front end pid 42, front end command qemu\x1b[1mé"
    details = len('{"front_end_pid":42,"front_end_command":"qemu\\u001b[1mé"}'.encode())
    text = len('{"text":"not a stream socket"}')
    table = 2 * 32 + len("1:24/memfd:pc.ram (deleted)") + len("eventfd:7anon_inode:[eventfd]")
    # Tags and record header have 84 bytes.
    assert rows == [
        ["1", "main", "1700000000.000001000", *[str(84 + details)] * 2, "vuproxy", "vuproxy", opened],
        ["2", "main", "1700000000.000002000", "96", "96", "front-end", "back-end", ""],
        ["3", "main", "1700000000.000003000", "105", "105", "back-end", "front-end", ""],
        [
            *("4", "backend", "1700000000.000004000", *[str(84 + table + 52)] * 2),
            *("back-end.backend", "front-end.backend"),
            f"2 descriptors: {memory}, eventfd anon_inode:[eventfd]",
        ],
        ["5", "gpu", "1700000000.000005000", "4096104", "184", "back-end.gpu", "front-end.gpu", ""],
        [
            *("6", "backend", "1700000000.000006000", *[str(84 + text)] * 2, "vuproxy", "vuproxy"),
            "connection 1: note: text not a stream socket",
        ],
    ]


def test_capinfos_shows_the_program_and_its_command(wireshark: Wireshark) -> None:
    report = wireshark.run("capinfos", wireshark.save(b"".join(conversation())))

    assert "Capture application: vudissect 1.0\n" in report
    assert "Capture comment:     vuproxy --listen a --connect b\n" in report
    assert "Capture oper-sys:    Linux" in report
    assert "File timestamp precision:  nanoseconds (9)\n" in report
    assert "Number of packets:   6\n" in report


def test_frames_are_numbered_as_tshark_numbers_them(wireshark: Wireshark) -> None:
    code = encoder()
    message = code.message(1, Channel.MAIN, Side.FRONT_END, 1, 1, 2, bytes(12), 12)
    packet = message[28:-4]
    others = [
        blocks.block(blocks.OLD_PACKET, bytes(12) + len(packet).to_bytes(4, "little") * 2 + packet),
        blocks.block(blocks.SIMPLE_PACKET, len(packet).to_bytes(4, "little") + packet),
        blocks.names([(b"\x01\x02\x03\x04", "name")]),
        blocks.block(5, bytes(12)),
        blocks.block(blocks.JOURNAL, b"__REALTIME_TIMESTAMP=1700000000000000\n\n "),
        blocks.block(10, bytes(4) + (4).to_bytes(4, "little") + b"keys"),
        blocks.block(blocks.CUSTOM, (32473).to_bytes(4, "little") + b"more"),
        blocks.block(blocks.CUSTOM_DO_NOT_COPY, (32473).to_bytes(4, "little") + b"more"),
        interface(1),
        blocks.block(0x8000_0001, bytes(8)),
    ]
    others[2] = blocks.block(blocks.NAME_RESOLUTION, others[2])
    capture = code.preamble() + message + b"".join(other + message for other in others)

    rows = wireshark.fields(
        wireshark.save(capture), "frame.number", "_ws.col.Info", "frame.cap_len", "frame.time_epoch"
    )

    stamp = "1700000000.000000001"
    assert [int(row[0]) for row in rows if row[3] == stamp] == [record.frame for record in read(capture)]
    assert len(rows) == len(read(capture)) + 5


def test_tshark_reads_everything_that_the_encoder_writes(wireshark: Wireshark) -> None:
    code = CaptureEncoder("ü" * 70_000, "command\x1b\n" * 10_000, 1 << 30, EPOCH_OFFSET)
    long_name = Descriptor(DescriptorKind.FILE, identity="i" * 300, name="/\x00\n" + "ü" * 5000)
    capture = wireshark.save(
        code.preamble()
        + code.message(1, Channel.GPU, Side.BACK_END, 1, 1, 2, bytes(MAX_MESSAGE), 1 << 40)
        + code.message(1, Channel.MAIN, Side.FRONT_END, 2, 1, 2, bytes(90_000), 90_000, 0, (long_name,) * 253)
        + code.event(RecordKind.NOTE, 1, Channel.MAIN, 3, 1, {"text": "\x00\n\x1b" * 50_000, "": -1})
        + code.message(1, Channel.MAIN, Side.FRONT_END, 4, 1, 2, b"", 0)
    )

    rows = wireshark.fields(capture, "frame.len", "exported_pdu.prot_name")

    assert [row[1] for row in rows] == ["vhost_user"] * 4
    assert rows[0][0] == str((1 << 31) - 1)


def test_editcap_selects_frames(wireshark: Wireshark) -> None:
    capture = b"".join(conversation())
    edited = wireshark.folder / "edited.pcapng"

    wireshark.run("editcap", "-r", wireshark.save(capture), edited, "2", "4-6")

    kept = [record for record in read(capture) if record.frame in (2, 4, 5, 6)]
    assert read(edited.read_bytes()) == [record._replace(frame=frame) for frame, record in enumerate(kept, 1)]


def test_mergecap_joins_two_captures_in_order_of_time(wireshark: Wireshark) -> None:
    code = encoder()
    early, late = (
        code.preamble() + code.message(connection, Channel.MAIN, Side.FRONT_END, 1, when, when, bytes(12), 12)
        for connection, when in ((1, 1_000), (2, 2_000))
    )
    merged = wireshark.folder / "merged.pcapng"

    wireshark.run("mergecap", "-w", merged, wireshark.save(late, "late"), wireshark.save(early, "early"))

    assert [(record.connection, record.frame) for record in read(merged.read_bytes())] == [(1, 1), (2, 2)]


def test_tshark_writes_what_a_display_filter_selects(wireshark: Wireshark) -> None:
    capture = b"".join(conversation())
    filtered = wireshark.folder / "filtered.pcapng"

    selection = 'frame.interface_name == "backend"'
    wireshark.run("tshark", "-r", wireshark.save(capture), "-Y", selection, "-w", filtered)

    kept = [record for record in read(capture) if record.frame in (4, 6)]
    assert read(filtered.read_bytes()) == [record._replace(frame=frame) for frame, record in enumerate(kept, 1)]


@pytest.mark.parametrize(("form", "unit"), [("nsecpcap", 1), ("pcap", 1000)])
def test_converting_to_classic_pcap_and_back_loses_only_digits_of_time(
    wireshark: Wireshark, form: str, unit: int
) -> None:
    code = encoder()
    capture = code.preamble() + code.message(
        7, Channel.MAIN, Side.FRONT_END, 1, 123_456_789, 2, bytes(range(20)), 20, 0, (MEMORY,)
    )
    classic, back = wireshark.folder / "classic.pcap", wireshark.folder / "back.pcapng"

    wireshark.run("editcap", "-F", form, wireshark.save(capture), classic)
    wireshark.run("editcap", "-F", "pcapng", classic, back)

    (record,) = read(capture)
    assert read(back.read_bytes()) == [record._replace(time=record.time // unit * unit)]
