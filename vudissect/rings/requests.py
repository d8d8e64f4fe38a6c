"""What a request asks of a device, in a few words, from its header: never the data in it."""

from struct import Struct

from vudissect.protocol.devices import queue_name
from vudissect.protocol.model import Device
from vudissect.rings.chain import Buffer
from vudissect.rings.descriptions import FORMS, Asked, Form
from vudissect.rings.look import Read


def request_text(
    device: Device | None,
    ring: int,
    rings: int,
    buffers: tuple[Buffer, ...],
    read_guest: Read,
    *,
    big_endian: bool = False,
) -> str:
    """A request in words, that was found in a ring of a device that has so many; `RingError` outside of memory.

    `read_guest` is asked for the header, which may be in several buffers, and for nothing else. A legacy driver writes
    it in the byte order of its guest, like the ring.
    """
    readable = sum(buffer.length for buffer in buffers if not buffer.writable)
    writable = sum(buffer.length for buffer in buffers if buffer.writable)
    form = _form(device, ring, rings) if device is not None else None
    if form is not None and readable >= form.header.size:
        header = _header(buffers, form.header.size, read_guest)
        if big_endian:
            header = form.header.pack(*Struct(f">{form.header.format[1:]}").unpack(header))
        text = form.describe(Asked(readable, writable, header))
        if text:
            return text
    return f"{readable} bytes for the device to read, {writable} to write"


def _form(device: Device, ring: int, rings: int) -> Form | None:
    name = queue_name(device, ring, rings)
    return FORMS.get(device.name, {}).get(name.removesuffix("*"))


def _header(buffers: tuple[Buffer, ...], size: int, read_guest: Read) -> bytes:
    header = b""
    for buffer in buffers:
        if not buffer.writable and buffer.length and len(header) < size:
            header += read_guest(buffer.address, min(buffer.length, size - len(header)))
    return header
