"""Captures with very many open connections, rings, regions or unanswered requests.

The cost of a message must not depend on these numbers: four times as many messages take four times as long. The table
also has the memory that each connection, or each message, occupies.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.messages import reply, request
from benchmarks.programs import BUILD, Spent, installed, spent
from benchmarks.table import Row, compared, in_turns, seconds
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Side

ROUNDS = 3
MESSAGES = 3_000
TIMES = 4

_EPOCH = 1_700_000_000_000_000_000
_GAP = 20_000  # nanoseconds between messages
_RINGS = 1024
_MAX_KICKED = 256  # the message has eight bits for the ring
_REGIONS = 1000
_PAGE = 4096
_REGION = 1 << 20
_USER_ADDRESS = 0x7F00_0000_0000
_FEATURES = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES", "VERSION_1")
_PROTOCOL = PROTOCOL_FEATURES.mask("MQ", "REPLY_ACK", "BACKEND_REQ", "CONFIGURE_MEM_SLOTS")


class _Sent(NamedTuple):
    """One message; `opens` if it is the first of its connection."""

    sender: Side
    data: bytes
    descriptors: tuple[Descriptor, ...] = ()
    connection: int = 1
    opens: bool = False


# Yields messages without end.
Crowd = Callable[[], Iterator[_Sent]]


def run() -> list[Row]:
    measures: dict[str, Callable[[], Spent]] = {}
    for name, (crowd, _) in CROWDS.items():
        for messages in (MESSAGES, TIMES * MESSAGES):
            command = (installed("vudissect"), "show", str(capture(name, crowd, messages)))
            measures[f"{name}, {messages:,}"] = partial(spent, *command)
    results = in_turns(ROUNDS, measures)
    rows = []
    for name, (_, messages_each) in CROWDS.items():
        few, many = (results[f"{name}, {messages:,}"] for messages in (MESSAGES, TIMES * MESSAGES))
        rows.append(
            compared(
                name,
                seconds,
                (f"{TIMES * MESSAGES:,} messages", [result.seconds for result in many]),
                (f"{MESSAGES:,} messages", [result.seconds for result in few]),
                f"{TIMES}",
            )
        )
        more = median(result.memory for result in many) - median(result.memory for result in few)
        kept = max(0.0, more / ((TIMES - 1) * MESSAGES / messages_each))
        rows.append(Row(f"{name}, memory", f"{kept / 1024:.1f} KiB for each {_THINGS[messages_each]}"))
    return rows


def capture(name: str, crowd: Crowd, messages: int) -> Path:
    """The path of a capture with this many messages of a crowd."""
    path = BUILD / f"{name.replace(' ', '-')}-{messages}.pcapng"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            file.writelines(_blocks(islice(crowd(), messages)))
        os.rename(unfinished, path)
    return path


def _blocks(messages: Iterator[_Sent]) -> Iterator[bytes]:
    encoder = CaptureEncoder("vudissect benchmarks", "made, not recorded", 65536, _EPOCH)
    yield encoder.preamble()
    for sequence, each in enumerate(messages, 1):
        now = sequence * _GAP
        if each.opens:
            yield encoder.event(RecordKind.CONNECTION_OPENED, each.connection, Channel.MAIN, sequence, now, {})
        yield encoder.message(
            each.connection,
            Channel.MAIN,
            each.sender,
            sequence,
            now,
            now + _GAP // 10,
            each.data,
            len(each.data),
            0,
            each.descriptors,
        )


def _ask(name: str, *descriptors: Descriptor, **fields: Any) -> _Sent:
    return _Sent(Side.FRONT_END, request(name, **fields), descriptors)


def _answer(name: str, **fields: Any) -> _Sent:
    return _Sent(Side.BACK_END, reply(name, **fields))


def _event(number: int) -> Descriptor:
    return Descriptor(DescriptorKind.EVENTFD, f"eventfd:{number}", flags=os.O_RDWR, name="anon_inode:[eventfd]")


def _memory(number: int) -> Descriptor:
    return Descriptor(DescriptorKind.MEMFD, f"1:{number}", _REGION, _PAGE, 2, os.O_RDWR, "/memfd:pc.ram (deleted)")


def _negotiation() -> Iterator[_Sent]:
    yield _ask("GET_FEATURES")._replace(opens=True)
    yield _answer("GET_FEATURES", features=_FEATURES)
    yield _ask("GET_PROTOCOL_FEATURES")
    yield _answer("GET_PROTOCOL_FEATURES", features=_PROTOCOL)
    yield _ask("SET_PROTOCOL_FEATURES", features=_PROTOCOL)
    yield _ask("SET_OWNER")
    yield _ask("SET_FEATURES", features=_FEATURES)


def _ring(index: int, kick: int) -> Iterator[_Sent]:
    address = _USER_ADDRESS + index * 4 * _PAGE
    yield _ask("SET_VRING_NUM", index=index, num=256)
    yield _ask("SET_VRING_BASE", index=index)
    yield _ask("SET_VRING_ADDR", index=index, desc=address, avail=address + _PAGE, used=address + 2 * _PAGE)
    yield _ask("SET_VRING_KICK", _event(kick), index=index % _MAX_KICKED)


def _from(number: int) -> Iterator[int]:
    while True:
        yield number
        number += 1


def _connections() -> Iterator[_Sent]:
    """Each has three messages and never closes."""
    for number in _from(1):
        yield _ask("GET_FEATURES")._replace(opens=True, connection=number)
        yield _answer("GET_FEATURES", features=_FEATURES)._replace(connection=number)
        yield _ask("SET_OWNER")._replace(connection=number)


def _devices() -> Iterator[_Sent]:
    """Each is a device with two rings, and never closes."""
    for number in _from(1):
        region = {"guest_addr": 0, "size": _REGION, "user_addr": _USER_ADDRESS, "mmap_offset": 0}
        memory = _ask("SET_MEM_TABLE", _memory(number), regions=[region])
        for sent in (*_negotiation(), memory, *_ring(0, 2 * number), *_ring(1, 2 * number + 1)):
            yield sent._replace(connection=number)


def _orders_to_all_rings() -> Iterator[_Sent]:
    """1,024 rings, 256 of them started, are all enabled by one message and disabled by the next."""
    yield from _negotiation()
    for index in range(_RINGS):
        yield _ask("SET_VRING_NUM", index=index, num=256)
        yield _ask("SET_VRING_KICK", _event(index), index=index % _MAX_KICKED)
    while True:
        yield _ask("SET_FEATURES", features=_FEATURES & ~VIRTIO_FEATURES.mask("PROTOCOL_FEATURES"))
        yield _ask("RESET_OWNER")


def _rings() -> Iterator[_Sent]:
    """1,024 rings are set up, enabled and stopped, again and again."""
    yield from _negotiation()
    for turn in _from(0):
        for index in range(_RINGS):
            yield from _ring(index, turn * _RINGS + index)
        for index in range(_RINGS):
            yield _ask("SET_VRING_ENABLE", index=index, num=1)
        for index in range(_RINGS):
            yield _ask("GET_VRING_BASE", index=index)
            yield _answer("GET_VRING_BASE", index=index)


def _regions() -> Iterator[_Sent]:
    """Regions are added up to 1,000; after that, one is removed for each that is added."""
    yield from _negotiation()
    for number in _from(0):
        yield _ask("ADD_MEM_REG", _memory(number), mmap_offset=0, **_region(number))
        if number >= _REGIONS:
            yield _ask("REM_MEM_REG", **_region(number - _REGIONS))


def _region(number: int) -> dict[str, int]:
    return {"guest_addr": number * _REGION, "size": _REGION, "user_addr": _USER_ADDRESS + number * _REGION}


def _unanswered() -> Iterator[_Sent]:
    """Requests that are never answered, while later ones are."""
    yield from _negotiation()
    for number in _from(0):
        yield _Sent(Side.FRONT_END, request("SET_VRING_ENABLE", need_reply=True, index=number % _RINGS, num=1), ())
        yield _ask("GET_FEATURES")
        yield _answer("GET_FEATURES", features=_FEATURES)


def _descriptors() -> Iterator[_Sent]:
    """Every call descriptor is a new object."""
    yield from _negotiation()
    for number in _from(0):
        yield _ask("SET_VRING_CALL", _event(number), index=number % 4)


def _contested() -> Iterator[_Sent]:
    """Connections on which every message is evidence against some dialect."""
    for connection in _from(1):
        yield from (sent._replace(connection=connection) for sent in _negotiation())
        for size in range(_CONTESTED - 7):
            header = b"".join(number.to_bytes(4, "little") for number in (300 + size % 100, 1, size))
            yield _Sent(Side.FRONT_END, header + bytes(size), (), connection)


_CONTESTED = 256

# Each crowd with the number of messages for each thing that is counted.
CROWDS: dict[str, tuple[Crowd, int]] = {
    "connections": (_connections, 3),
    "devices": (_devices, 16),
    "orders to all rings": (_orders_to_all_rings, 1),
    "rings": (_rings, 1),
    "regions": (_regions, 1),
    "unanswered requests": (_unanswered, 1),
    "descriptors": (_descriptors, 1),
    "contested dialects": (_contested, _CONTESTED),
}
_THINGS = {1: "message", 3: "connection", 16: "device", _CONTESTED: "connection"}
