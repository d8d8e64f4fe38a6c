"""Requests of devices in words. The headers are laid out as the virtio specification has them."""

from struct import pack

import pytest

from vudissect.protocol.devices import device_by_name
from vudissect.rings.chain import Buffer
from vudissect.rings.requests import request_text

# How many rings a device has here, and the rings that are not the first.
RINGS = {"net": 3, "blk": 1, "console": 6, "rng": 1, "scsi": 3, "gpu": 2, "input": 2, "vsock": 3, "crypto": 2}
RINGS |= {"sound": 4, "fs": 2}
TAG = pack("<Q3x", 7)
LUN = bytes([1, 2, 0x40, 5, 0, 0, 0, 0])  # target 2, unit 5
READ_10 = bytes([0x28, 0, 0, 0, 8, 0, 0, 0, 8, 0])
WRITE_16 = bytes([0x8A, 0, 0, 0, 0, 1, 0, 0, 0, 0]) + bytes(6)


class Memory:
    """Bytes at addresses, which remembers what was read."""

    def __init__(self, **at: bytes) -> None:
        self.contents = {int(address.removeprefix("x"), 16): data for address, data in at.items()}
        self.read_bytes = 0

    def read(self, address: int, length: int) -> bytes:
        self.read_bytes += length
        return self.contents[address][:length].ljust(length, b"?")


def told(device: str, ring: int, header: bytes, *, more: int = 0, room: int = 0) -> str:
    """The words for a request with a header, `more` bytes for the device to read, and room for it to write."""
    memory = Memory(x1000=header)
    buffers = [Buffer(0x1000, len(header) + more)] if header or more else []
    buffers += [Buffer(0x2000, room, writable=True)] if room else []
    return request_text(device_by_name(device), ring, RINGS[device], tuple(buffers), memory.read)


@pytest.mark.parametrize(
    ("device", "ring", "header", "text"),
    [
        ("blk", 0, pack("<IIQ", 4, 0, 0), "flush"),
        ("blk", 0, pack("<IIQ", 77, 0, 0), "request type 77"),
        ("fs", 1, pack("<IIQQ", 40, 26, 1, 0), "FUSE INIT node 0 (unique 1)"),
        ("fs", 0, pack("<IIQQ", 40, 2, 7, 3), "FUSE FORGET node 3 (unique 7)"),
        ("fs", 1, pack("<IIQQ", 40, 4711, 7, 3), "FUSE opcode 0x1267 node 3 (unique 7)"),
        ("net", 2, b"\x04\x00", "command 0 of MQ"),
        ("net", 2, b"\x63\x01", "command 1 of class 0x63"),
        ("console", 3, pack("<IHH", 1, 6, 1), "PORT_OPEN port 1 value 1"),
        ("vsock", 1, pack("<QQIIIHHIII", 3, 2, 1024, 5000, 0, 1, 1, 0, 0, 0), "REQUEST from 3:1024 to 2:5000, 0 bytes"),
        ("gpu", 0, pack("<IIQIBxxx", 0x104, 1, 12, 0, 0), "RESOURCE_FLUSH, fence 12"),
        ("gpu", 0, pack("<IIQIBxxx", 0x100, 0, 0, 0, 0), "GET_DISPLAY_INFO"),
        ("gpu", 1, pack("<IIQIBxxx", 0x301, 0, 0, 0, 0), "MOVE_CURSOR"),
        ("gpu", 0, pack("<IIQIBxxx", 0x999, 0, 0, 0, 0), "command 0x999"),
        ("scsi", 2, LUN + TAG + READ_10.ljust(32, b"\0"), "READ(10) block 2048, target 2 LUN 5 (tag 0x7)"),
        ("scsi", 2, LUN + TAG + WRITE_16.ljust(32, b"\0"), "WRITE(16) block 4294967296, target 2 LUN 5 (tag 0x7)"),
        ("scsi", 2, LUN + TAG + bytes(32), "TEST UNIT READY target 2 LUN 5 (tag 0x7)"),
        ("scsi", 0, pack("<II", 0, 5) + LUN + bytes(8), "LOGICAL_UNIT_RESET"),
        ("scsi", 0, pack("<II", 1, 0) + LUN, "AN_QUERY"),
        ("input", 1, pack("<HHI", 17, 1, 1), "event type 17 code 1"),
        ("crypto", 0, pack("<IIQII", 0x001, 3, 5, 0, 0), "CIPHER_DECRYPT session 5"),
        ("crypto", 1, pack("<IIII", 0x302, 1, 0, 0), "AEAD_CREATE_SESSION"),
        ("sound", 0, pack("<II", 0x104, 1), "PCM_START stream 1"),
        ("sound", 0, pack("<IIII", 0x100, 0, 2, 32), "PCM_INFO"),
    ],
)  # fmt: skip
def test_what_is_asked_for(device: str, ring: int, header: bytes, text: str) -> None:
    assert told(device, ring, header, room=64) == text


@pytest.mark.parametrize(
    ("device", "ring", "header", "more", "text"),
    [
        ("blk", 0, pack("<IIQ", 1, 0, 2048), 4096, "write sector 2048, 8 sectors"),
        ("net", 1, bytes(12), 60, "packet of 60 bytes"),
        ("net", 1, pack("<BBHHHHH", 1, 1, 54, 1448, 34, 16, 1), 9000,
         "packet of 9000 bytes, in TCPV4 segments of 1448, checksum to be completed"),
        ("net", 1, pack("<BBHHHHH", 0, 0x84, 54, 1440, 0, 0, 1), 9000,
         "packet of 9000 bytes, in TCPV6 segments of 1440"),
        ("console", 1, b"", 5, "5 bytes of output"),
        ("console", 5, b"", 5, "5 bytes of output"),
        ("sound", 2, pack("<I", 1), 1024, "1024 bytes for stream 1"),
    ],
)  # fmt: skip
def test_how_much_is_sent(device: str, ring: int, header: bytes, more: int, text: str) -> None:
    assert told(device, ring, header, more=more) == text


@pytest.mark.parametrize(
    ("device", "ring", "header", "text"),
    [
        ("blk", 0, pack("<IIQ", 0, 0, 8), "read sector 8, 8 sectors"),
        ("rng", 0, b"", "4097 bytes of entropy"),
        ("net", 0, b"", "0 bytes for the device to read, 4097 to write"),
        ("sound", 3, pack("<I", 1), "a buffer for stream 1"),
    ],
)
def test_how_much_is_wanted(device: str, ring: int, header: bytes, text: str) -> None:
    assert told(device, ring, header, room=4097) == text


@pytest.mark.parametrize(
    ("device", "ring"), [("blk", 0), ("fs", 1), ("net", 1), ("gpu", 0), ("scsi", 2), ("crypto", 0)]
)
def test_a_header_that_is_cut_short(device: str, ring: int) -> None:
    assert told(device, ring, b"\0", room=8) == "1 bytes for the device to read, 8 to write"


def test_of_an_unknown_device_only_lengths_are_known() -> None:
    assert (
        request_text(None, 0, 1, (Buffer(0x1000, 16),), Memory().read) == "16 bytes for the device to read, 0 to write"
    )


@pytest.mark.parametrize(
    ("device", "ring", "header", "text"),
    [
        ("blk", 0, pack(">IIQ", 0, 0, 2048), "read sector 2048, 8 sectors"),
        ("net", 1, pack(">BBHHHHH", 0, 1, 54, 1448, 0, 0, 1), "packet of 0 bytes, in TCPV4 segments of 1448"),
        ("scsi", 2, LUN + pack(">Q3x", 7) + READ_10.ljust(32, b"\0"), "READ(10) block 2048, target 2 LUN 5 (tag 0x7)"),
    ],
)
def test_a_legacy_driver_on_a_big_endian_guest(device: str, ring: int, header: bytes, text: str) -> None:
    memory = Memory(x1000=header)
    buffers = (Buffer(0x1000, len(header)), Buffer(0x2000, 4097, writable=True))

    read = request_text(device_by_name(device), ring, RINGS[device], buffers, memory.read, big_endian=True)

    assert read == text


def test_a_header_in_several_buffers() -> None:
    header = pack("<IIQ", 1, 0, 2048)
    memory = Memory(x1000=header[:10], x3000=header[10:] + bytes(506), x4000=bytes(512))
    buffers = (Buffer(0x1000, 10), Buffer(0x5000, 0), Buffer(0x3000, 6 + 506), Buffer(0x4000, 6))

    assert request_text(device_by_name("blk"), 0, 1, buffers, memory.read) == "write sector 2048, 1 sectors"
    assert memory.read_bytes == len(header)


@pytest.mark.parametrize(
    ("device", "ring", "size"),
    [
        ("blk", 0, 16),
        ("net", 1, 12),
        ("console", 1, 0),
        ("vsock", 1, 44),
        ("crypto", 1, 4),
        ("sound", 2, 4),
        ("fs", 1, 24),
    ],
)
def test_data_is_never_read(device: str, ring: int, size: int) -> None:
    memory = Memory(x1000=bytes(4096))
    request_text(device_by_name(device), ring, RINGS[device], (Buffer(0x1000, 4096),), memory.read)

    assert memory.read_bytes == size
