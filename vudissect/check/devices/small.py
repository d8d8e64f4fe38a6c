"""Devices whose requests are a few bytes each way: buses, clocks, sound, media; one that is right, and one that is not.

Source: virtio specification, the section of each device; Linux include/uapi/linux/virtio_*.h.
"""

from collections.abc import Callable, Set
from struct import Struct

from vudissect.check.devices.path import DataPath, Request, fine
from vudissect.check.memory import Arena

Make = Callable[[Arena], Request]

_GPIO = Struct("<HHI")
_GPIO_GET_DIRECTION = 2
_I2C = Struct("<HHI")
_SCMI_SUCCESS, _SCMI_BASE, _SCMI_NO_PROTOCOL = 0, 0x10, 0x7F
_RTC = Struct("<H6x")
_RTC_CFG = 0x1000
_SOUND = Struct("<IIII")
_SOUND_PCM_INFO, _SOUND_OK, _SOUND_INFO_SIZE = 0x100, 0x8000, 32
_SOUND_ERRORS = {0x8001, 0x8002}
_CAN_START = 0x201
_SPI = Struct("<BBBBB3xIIIIII")
_MEDIA = Struct("<II")
_MEDIA_OPEN, _MEDIA_CLOSE = 1, 2
_SCSI = Struct("<8sQBBB32s")
_SCSI_ANSWER, _SCSI_RESPONSE_AT, _SCSI_BAD_TARGET = 108, 11, 3
_UNKNOWN = 0x7777


def _asked(data: bytes, room: int, at: int, size: int, wanted: Set[int], *, wrong: bool = False) -> Make:
    """A request, and what an integer in its answer must be; or with `wrong` must not be."""

    def make(arena: Arena) -> Request:
        answer = arena.buffer(room, writable=True)

        def check(written: int) -> str:
            if written < at + size:
                return f"an answer of {written} bytes"
            value = int.from_bytes(arena.read(answer)[at : at + size], "little")
            return "" if (value in wanted) is not wrong else f"the answer says {value:#x}"

        return Request([arena.buffer(data), answer], check)

    return make


def _half(data: bytes, room: int) -> Make:
    return lambda arena: Request([arena.buffer(data[: len(data) // 2]), arena.buffer(room, writable=True)], fine)


def _scmi(protocol: int) -> bytes:
    return (protocol << 10).to_bytes(4, "little")


def _spi(chip: int) -> Make:
    def make(arena: Arena) -> Request:
        head = _SPI.pack(chip, 8, 0, 1, 1, 0, 1_000_000, 0, 0, 0, 0)
        read, result = (arena.buffer(size, writable=True) for size in (4, 1))
        wanted = {0} if not chip else {1}

        def check(written: int) -> str:
            if not written:
                return "nothing is written"
            value = arena.read(result)[0]
            return "" if value in wanted else f"the result is {value}"

        return Request([arena.buffer(head), arena.buffer(b"\xa5\x5a\xa5\x5a"), read, result], check)

    return make


def _open(arena: Arena) -> Request:
    answer = arena.buffer(16, writable=True)

    def check(written: int) -> str:
        data = arena.read(answer)[:written]
        arena.remembered["session"] = int.from_bytes(data[8:12], "little")
        return "" if len(data) == answer.length and not any(data[:4]) else f"the response is {data.hex() or 'empty'}"

    return Request([arena.buffer(_MEDIA.pack(_MEDIA_OPEN, 0)), answer], check)


def _close(arena: Arena) -> Request:
    return Request([arena.buffer(_MEDIA.pack(_MEDIA_CLOSE, 0) + _MEDIA.pack(arena.remembered["session"], 0))], fine)


def _scsi(target: int, wanted: int) -> Make:
    data = _SCSI.pack(bytes([1, target, 0x40, 0, 0, 0, 0, 0]), 1, 0, 0, 0, bytes(32))
    return _asked(data, _SCSI_ANSWER, _SCSI_RESPONSE_AT, 1, {wanted})


_GPIO_QUESTION = _GPIO.pack(_GPIO_GET_DIRECTION, 0, 0)
_RTC_QUESTION = _RTC.pack(_RTC_CFG)
_SOUND_QUESTION = _SOUND.pack(_SOUND_PCM_INFO, 0, 1, _SOUND_INFO_SIZE)
_SOUND_ROOM = 4 + _SOUND_INFO_SIZE

SMALL_PATHS = (
    DataPath(
        "gpio",
        rings=(0,),
        ring=0,
        request=_asked(_GPIO_QUESTION, 2, 0, 1, {0}),
        requests={
            "the direction of a line": _asked(_GPIO_QUESTION, 2, 0, 1, {0}),
            "the direction of a line that is not there": _asked(_GPIO.pack(2, 0xFFFF, 0), 2, 0, 1, {1}),
            "half a request": _half(_GPIO_QUESTION, 2),
        },
    ),
    DataPath(
        "i2c",
        rings=(0,),
        ring=0,
        request=_asked(_I2C.pack(0x50 << 1, 0, 0), 1, 0, 1, {0, 1}),
        requests={
            "is anybody there": _asked(_I2C.pack(0x50 << 1, 0, 0), 1, 0, 1, {0, 1}),
            "an address that cannot be": _asked(_I2C.pack(0xFFFF, 0, 0), 1, 0, 1, {1}),
            "half a request": _half(_I2C.pack(0x50 << 1, 0, 0), 1),
        },
    ),
    DataPath(
        "scmi",
        rings=(0,),
        ring=0,
        request=_asked(_scmi(_SCMI_BASE), 12, 4, 4, {_SCMI_SUCCESS}),
        requests={
            "the version of the base protocol": _asked(_scmi(_SCMI_BASE), 12, 4, 4, {_SCMI_SUCCESS}),
            "an unknown protocol": _asked(_scmi(_SCMI_NO_PROTOCOL), 12, 4, 4, {_SCMI_SUCCESS}, wrong=True),
            "half a request": _half(_scmi(_SCMI_BASE), 12),
        },
    ),
    DataPath(
        "rtc",
        rings=(0,),
        ring=0,
        request=_asked(_RTC_QUESTION, 16, 0, 1, {0}),
        requests={
            "the number of clocks": _asked(_RTC_QUESTION, 16, 0, 1, {0}),
            "an unknown request": _asked(_RTC.pack(_UNKNOWN), 16, 0, 1, {0}, wrong=True),
            "half a request": _half(_RTC_QUESTION, 16),
        },
    ),
    DataPath(
        "sound",
        rings=(0, 1),
        ring=0,
        request=_asked(_SOUND_QUESTION, _SOUND_ROOM, 0, 4, {_SOUND_OK}),
        requests={
            "the first stream": _asked(_SOUND_QUESTION, _SOUND_ROOM, 0, 4, {_SOUND_OK}),
            "an unknown request": _asked(_SOUND.pack(_UNKNOWN, 0, 1, 32), _SOUND_ROOM, 0, 4, _SOUND_ERRORS),
            "half a request": _half(_SOUND.pack(_SOUND_PCM_INFO, 0, 1, 32)[:4], _SOUND_ROOM),
        },
    ),
    DataPath(
        "can",
        rings=(0, 1, 2),
        ring=2,
        request=_asked(_CAN_START.to_bytes(2, "little"), 1, 0, 1, {0}),
        requests={
            "start": _asked(_CAN_START.to_bytes(2, "little"), 1, 0, 1, {0}),
            "an unknown request": _asked(_UNKNOWN.to_bytes(2, "little"), 1, 0, 1, {1}),
            "half a request": _half(_CAN_START.to_bytes(2, "little"), 1),
        },
    ),
    DataPath(
        "spi",
        rings=(0,),
        ring=0,
        request=_spi(0),
        requests={
            "four bytes": _spi(0),
            "four bytes for a chip that is not there": _spi(0xFF),
            "half a request": _half(_SPI.pack(0, 8, 0, 1, 1, 0, 1_000_000, 0, 0, 0, 0), 5),
        },
    ),
    DataPath(
        "media",
        rings=(0, 1),
        ring=0,
        request=_open,
        requests={
            "open": _open,
            "close": _close,
            "an unknown command": _asked(_MEDIA.pack(_UNKNOWN, 0), 8, 0, 4, {0}, wrong=True),
            "half a request": _half(_MEDIA.pack(_MEDIA_OPEN, 0), 16),
        },
    ),
    DataPath(
        "scsi",
        rings=(0, 1, 2),
        ring=2,
        request=_scsi(0, 0),
        requests={
            "TEST UNIT READY": _scsi(0, 0),
            "TEST UNIT READY of a target that is not there": _scsi(0xFF, _SCSI_BAD_TARGET),
            "half a request": _half(
                _SCSI.pack(bytes([1, 0, 0x40, 0, 0, 0, 0, 0]), 1, 0, 0, 0, bytes(32)), _SCSI_ANSWER
            ),
        },
    ),
)
