"""Captures in which there is very much of something: connections that never close, rings, regions, requests without
an answer, descriptors, dialects in doubt. What a message costs must not depend on how much.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.messages import reply, request
from benchmarks.programs import BUILD
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.spec.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.spec.model import Channel, Side

_EPOCH = 1_700_000_000_000_000_000
_GAP = 20_000  # nanoseconds between messages
_RINGS = 1024
_PAGE = 4096
_FEATURES = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES", "VERSION_1")
_PROTOCOL = PROTOCOL_FEATURES.mask("MQ", "REPLY_ACK", "BACKEND_REQ", "CONFIGURE_MEM_SLOTS")


class Said(NamedTuple):
    """One message; `opens`: its connection is opened with it."""

    sender: Side
    data: bytes
    descriptors: tuple[Descriptor, ...] = ()
    connection: int = 1
    opens: bool = False
    channel: Channel = Channel.MAIN


Crowd = Callable[[int], Iterator[Said]]


def capture(name: str, crowd: Crowd, messages: int) -> Path:
    """Path of a capture with this many messages of a crowd."""
    path = BUILD / f"{name}-{messages}.pcapng"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            file.writelines(_blocks(crowd(messages), messages))
        os.rename(unfinished, path)
    return path


def _blocks(said: Iterator[Said], messages: int) -> Iterator[bytes]:
    encoder = CaptureEncoder("vudissect benchmarks", "made, not recorded", 65536, _EPOCH)
    yield encoder.preamble()
    for sequence, (each, _) in enumerate(zip(said, range(messages), strict=False), 1):
        now = sequence * _GAP
        if each.opens:
            yield encoder.event(RecordKind.CONNECTION_OPENED, each.connection, Channel.MAIN, sequence, now, {})
        yield encoder.message(
            each.connection,
            each.channel,
            each.sender,
            sequence,
            now,
            now + _GAP // 10,
            each.data,
            len(each.data),
            0,
            each.descriptors,
        )


def ask(name: str, *descriptors: Descriptor, need_reply: bool = False, **fields: Any) -> Said:
    """A request of the front-end."""
    return Said(Side.FRONT_END, request(name, need_reply=need_reply, **fields), descriptors)


def answer(name: str, **fields: Any) -> Said:
    """The back-end's answer with contents."""
    return Said(Side.BACK_END, reply(name, **fields))


def _event(number: int) -> Descriptor:
    return Descriptor(DescriptorKind.EVENTFD, f"eventfd:{number}", flags=os.O_RDWR, name="anon_inode:[eventfd]")


def _memory(number: int) -> Descriptor:
    return Descriptor(DescriptorKind.MEMFD, f"1:{number}", 1 << 20, _PAGE, 2, os.O_RDWR, "/memfd:pc.ram (deleted)")


def _negotiation(protocol: int = _PROTOCOL) -> Iterator[Said]:
    yield ask("GET_FEATURES")._replace(opens=True)
    yield answer("GET_FEATURES", features=_FEATURES)
    yield ask("GET_PROTOCOL_FEATURES")
    yield answer("GET_PROTOCOL_FEATURES", features=protocol)
    yield ask("SET_PROTOCOL_FEATURES", features=protocol)
    yield ask("SET_OWNER")
    yield ask("SET_FEATURES", features=_FEATURES)


def _ring(index: int, kick: int) -> Iterator[Said]:
    place = 0x7F00_0000_0000 + index * 4 * _PAGE
    yield ask("SET_VRING_NUM", index=index, num=256)
    yield ask("SET_VRING_BASE", index=index)
    yield ask("SET_VRING_ADDR", index=index, desc=place, avail=place + _PAGE, used=place + 2 * _PAGE)
    yield ask("SET_VRING_KICK", _event(kick), index=index)


def connections(messages: int) -> Iterator[Said]:
    """Connections that are opened, say three things and never close."""
    for number in range(1, messages // 3 + 1):
        yield ask("GET_FEATURES")._replace(opens=True, connection=number)
        yield answer("GET_FEATURES", features=_FEATURES)._replace(connection=number)
        yield ask("SET_OWNER")._replace(connection=number)


def devices(messages: int) -> Iterator[Said]:
    """Connections that set up a device with two rings and never close."""
    for number in range(1, messages // 16 + 2):
        memory = {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000, "mmap_offset": 0}
        for said in (
            *_negotiation(),
            ask("SET_MEM_TABLE", _memory(number), regions=[memory]),
            *_ring(0, 2 * number),
            *_ring(1, 2 * number + 1),
        ):
            yield said._replace(connection=number)


def orders_to_all_rings(messages: int) -> Iterator[Said]:
    """All of 1,024 rings are enabled and disabled by one message, over and over."""
    yield from _negotiation()
    for index in range(_RINGS):
        yield from _ring(index, index)
    for _ in range(messages):
        yield ask("SET_FEATURES", features=_FEATURES & ~VIRTIO_FEATURES.mask("PROTOCOL_FEATURES"))
        yield ask("RESET_OWNER")


def rings(messages: int) -> Iterator[Said]:
    """1,024 rings are set up, started and stopped, one after the other, over and over."""
    yield from _negotiation()
    kick = 0
    for _ in range(messages):
        for index in range(_RINGS):
            kick += 1
            yield from _ring(index, kick)
        for index in range(_RINGS):
            yield ask("SET_VRING_ENABLE", index=index, num=1)
        for index in range(_RINGS):
            yield ask("GET_VRING_BASE", index=index)
            yield answer("GET_VRING_BASE", index=index)


def regions(messages: int) -> Iterator[Said]:
    """Memory regions are added up to 1,000, and then one is removed for each that is added."""
    yield from _negotiation()
    most = 1000
    for number in range(messages):
        places = [
            {"guest_addr": each << 20, "size": 1 << 20, "user_addr": each + (1 << 23) << 20}
            for each in (number, number - most)
        ]
        yield ask("ADD_MEM_REG", _memory(number), **places[0])
        if number >= most:
            yield ask("REM_MEM_REG", **places[1])


def unanswered(messages: int) -> Iterator[Said]:
    """Requests that are never answered, while later ones are."""
    yield from _negotiation()
    for number in range(messages):
        yield ask("SET_VRING_ENABLE", index=number % _RINGS, num=1, need_reply=True)
        yield ask("GET_FEATURES")
        yield answer("GET_FEATURES", features=_FEATURES)


def descriptors(messages: int) -> Iterator[Said]:
    """Every call descriptor is one that was never seen before."""
    yield from _negotiation()
    for number in range(messages):
        yield ask("SET_VRING_CALL", _event(number), index=number % 4)


def contested(messages: int) -> Iterator[Said]:
    """Connections whose every message speaks against the dialect that they are taken to be in."""
    for number in range(1, messages // 256 + 2):
        yield from (each._replace(connection=number) for each in _negotiation())
        for size in range(249):
            yield Said(
                Side.FRONT_END,
                (300 + size % 200).to_bytes(4, "little") + b"\1\0\0\0" + size.to_bytes(4, "little") + bytes(size),
                (),
                number,
            )


CROWDS: dict[str, Crowd] = {
    "connections": connections,
    "devices": devices,
    "orders to all rings": orders_to_all_rings,
    "rings": rings,
    "regions": regions,
    "unanswered requests": unanswered,
    "descriptors": descriptors,
    "contested dialect": contested,
}
