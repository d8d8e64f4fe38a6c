"""Captures of any length: the bring-up of a network device with two queue pairs, then device IOTLB traffic.

A connection has 10,000 messages; then the front-end closes it and opens the next one. The project's own encoders make
the traffic, which is always the same; files are made once and kept.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.messages import acknowledgement, reply, request
from benchmarks.programs import BUILD
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Side

_PER_CONNECTION = 10_000
_GAP = 20_000  # nanoseconds between messages; forwarding takes a tenth of that
_EPOCH = 1_700_000_000_000_000_000
_PAGE = 4096
_RAM = 256 << 20
_USER_ADDRESS = 0x7F3C_4000_0000
_RINGS = 4
_PAGES = 512  # mapped by the guest in turn
_KICK_EVERY = 100  # round trips of the IOTLB


class _Sent(NamedTuple):
    channel: Channel
    sender: Side
    data: bytes
    descriptors: tuple[Descriptor, ...] = ()


def capture(messages: int) -> Path:
    """The path of a capture with this many messages."""
    path = BUILD / f"net-iommu-reconnecting-{messages}.pcapng"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            file.writelines(_blocks(messages))
        os.rename(unfinished, path)
    return path


def _blocks(messages: int) -> Iterator[bytes]:
    encoder = CaptureEncoder("vudissect benchmarks", "made, not recorded", 65536, _EPOCH)
    yield encoder.preamble()
    bring_up, steady = list(_bring_up()), list(_steady())
    for index in range(messages):
        connection, sequence = index // _PER_CONNECTION + 1, index % _PER_CONNECTION
        now = index * _GAP
        if sequence == 0 and index:
            ending = {"by": "front-end", "how": "eof"}
            yield encoder.event(RecordKind.CONNECTION_CLOSED, connection - 1, Channel.MAIN, 0, now, ending)
        if sequence == 0:
            yield encoder.event(RecordKind.CONNECTION_OPENED, connection, Channel.MAIN, 0, now, {})
        sent = bring_up[sequence] if sequence < len(bring_up) else steady[(sequence - len(bring_up)) % len(steady)]
        yield encoder.message(
            connection,
            sent.channel,
            sent.sender,
            sequence + 1,
            now,
            now + _GAP // 10,
            sent.data,
            len(sent.data),
            0,
            sent.descriptors,
        )


def _ask(name: str, *descriptors: Descriptor, **fields: Any) -> _Sent:
    return _Sent(Channel.MAIN, Side.FRONT_END, request(name, **fields), descriptors)


def _answer(name: str, **fields: Any) -> _Sent:
    return _Sent(Channel.MAIN, Side.BACK_END, reply(name, **fields))


def _bring_up() -> Iterator[_Sent]:
    features = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES", "VERSION_1", "ACCESS_PLATFORM")
    protocol_features = PROTOCOL_FEATURES.mask("MQ", "REPLY_ACK", "BACKEND_REQ", "CONFIG")
    yield _ask("GET_FEATURES")
    yield _answer("GET_FEATURES", features=features)
    yield _ask("GET_PROTOCOL_FEATURES")
    yield _answer("GET_PROTOCOL_FEATURES", features=protocol_features)
    yield _ask("SET_PROTOCOL_FEATURES", features=protocol_features)
    yield _ask("GET_QUEUE_NUM")
    yield _answer("GET_QUEUE_NUM", queues=2)
    yield _ask("SET_BACKEND_REQ_FD", _socket())
    yield _ask("SET_OWNER")
    for ring in range(_RINGS):
        yield _ask("SET_VRING_CALL", _event(ring), index=ring)
    yield _ask("SET_FEATURES", features=features)
    region = {"guest_addr": 0, "size": _RAM, "user_addr": _USER_ADDRESS, "mmap_offset": 0}
    memory = Descriptor(DescriptorKind.MEMFD, "1:77", _RAM, _PAGE, 2, os.O_RDWR, "/memfd:pc.ram (deleted)")
    yield _ask("SET_MEM_TABLE", memory, regions=[region])
    for ring in range(_RINGS):
        yield _ask("SET_VRING_NUM", index=ring, num=256)
        yield _ask("SET_VRING_BASE", index=ring, num=0)
        parts = {part: 0xFFFF_0000 + ring * 4 * _PAGE + offset for part, offset in _RING_PARTS.items()}
        yield _ask("SET_VRING_ADDR", index=ring, flags=0, **parts)
        yield _ask("SET_VRING_KICK", _event(_RINGS + ring), index=ring)
        yield _ask("SET_VRING_CALL", _event(2 * _RINGS + ring), index=ring)
    for ring in range(_RINGS):
        yield _ask("SET_VRING_ENABLE", index=ring, num=1)


_RING_PARTS = {"desc": 0, "avail": _PAGE, "used": 2 * _PAGE}


def _steady() -> Iterator[_Sent]:
    """Misses on the back-end channel, each answered by an update on the main one, and sometimes other messages."""
    for page in range(_PAGES):
        iova = 0xFFFE_0000 - page * _PAGE
        entry = {"iova": iova, "size": _PAGE, "perm": 3}
        miss = request("IOTLB_MSG", Channel.BACKEND, iova=iova, perm=3, type=1)
        yield _Sent(Channel.BACKEND, Side.BACK_END, miss)
        yield _ask("IOTLB_MSG", type=2, user_addr=_USER_ADDRESS + page * _PAGE, **entry)
        yield _Sent(Channel.MAIN, Side.BACK_END, acknowledgement("IOTLB_MSG"))
        if page % _KICK_EVERY == _KICK_EVERY - 1:
            yield _ask("GET_CONFIG", offset=0, contents=bytes(12))
            yield _answer("GET_CONFIG", offset=0, contents=bytes.fromhex("525400123456") + bytes(6))
            yield _ask("SET_VRING_CALL", _event(3 * _RINGS), index=0)


def _event(number: int) -> Descriptor:
    return Descriptor(DescriptorKind.EVENTFD, f"eventfd:{number}", flags=os.O_RDWR, name="anon_inode:[eventfd]")


def _socket() -> Descriptor:
    return Descriptor(DescriptorKind.SOCKET, "8:1234", flags=os.O_RDWR, name="socket:[1234]")
