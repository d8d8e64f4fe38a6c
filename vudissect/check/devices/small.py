"""Devices whose requests are a few bytes each way: buses, clocks, sound, media; one that is right, and one that is not.

What is in them is in `vudissect/rings/small.py`.
"""

from collections.abc import Callable, Set

from vudissect.check.devices.path import DataPath, Request, fine
from vudissect.check.memory import Arena
from vudissect.rings import small

Make = Callable[[Arena], Request]

_SOMEBODY, _NO_ADDRESS = 0x50 << 1, 0xFFFF
_NO_LINE = 0xFFFF
_NO_PROTOCOL = 0x7F
_WORDS = b"\xa5\x5a\xa5\x5a"
_NO_CHIP = _NO_TARGET = 0xFF
_UNKNOWN = 0x7777


def _asked(data: bytes, room: int, wanted: Set[int], *, at: int = 0, size: int = 1, wrong: bool = False) -> Make:
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


def _scmi(protocol: int, *, wrong: bool = False) -> Make:
    data = small.SCMI.pack(protocol << small.SCMI_PROTOCOL)
    wanted = {small.ScmiStatus.SUCCESS}
    return _asked(data, small.SCMI_ANSWER.size, wanted, at=small.SCMI_STATUS_AT, size=4, wrong=wrong)


def _spi(chip: int, wanted: small.SpiResult) -> Make:
    def make(arena: Arena) -> Request:
        read, result = (arena.buffer(size, writable=True) for size in (len(_WORDS), 1))

        def check(written: int) -> str:
            if not written:
                return "nothing is written"
            value = arena.read(result)[0]
            return "" if value == wanted else f"the result is {value}"

        return Request([arena.buffer(_transfer(chip)), arena.buffer(_WORDS), read, result], check)

    return make


def _transfer(chip: int) -> bytes:
    return small.SPI.pack(chip, 8, 0, 1, 1, 0, 1_000_000, 0, 0, 0, 0)


def _open(arena: Arena) -> Request:
    answer = arena.buffer(small.MEDIA_OPENED.size, writable=True)

    def check(written: int) -> str:
        data = arena.read(answer)[:written]
        status, arena.remembered["session"] = small.MEDIA_OPENED.unpack(data.ljust(answer.length, b"\0"))
        if len(data) == answer.length and status == small.MediaStatus.OK:
            return ""
        return f"the response is {data.hex() or 'empty'}"

    return Request([arena.buffer(_OPEN), answer], check)


def _close(arena: Arena) -> Request:
    session = small.MEDIA.pack(arena.remembered["session"], 0)
    return Request([arena.buffer(small.MEDIA.pack(small.MediaCommand.CLOSE, 0) + session)], fine)


def _unit(target: int) -> bytes:
    return small.SCSI.pack(bytes([1, target, 0x40, 0, 0, 0, 0, 0]), 1, 0, 0, 0, bytes(32))


def _scsi(target: int, wanted: small.ScsiResponse) -> Make:
    return _asked(_unit(target), small.SCSI_ANSWER.size, {wanted}, at=small.SCSI_RESPONSE_AT)


def _gpio(line: int, wanted: small.GpioStatus) -> Make:
    return _asked(small.GPIO.pack(small.GPIO_GET_DIRECTION, line, 0), small.GPIO_ANSWER.size, {wanted})


def _i2c(address: int, *wanted: small.I2cStatus) -> Make:
    return _asked(small.I2C.pack(address, 0, 0), 1, set(wanted))


def _rtc(request: int, *, wrong: bool = False) -> Make:
    return _asked(small.RTC.pack(request), small.RTC_ANSWER.size, {small.RtcStatus.OK}, wrong=wrong)


def _sound(request: int, *wanted: small.SoundStatus) -> Make:
    question = small.SOUND.pack(request, 0, 1, small.SOUND_PCM_INFO_SIZE)
    return _asked(question, _SOUND_ROOM, set(wanted), size=small.SOUND_STATUS.size)


def _can(request: int, wanted: small.CanResult) -> Make:
    return _asked(small.CAN.pack(request), 1, {wanted})


_SOUND_ROOM = small.SOUND_STATUS.size + small.SOUND_PCM_INFO_SIZE
_OPEN = small.MEDIA.pack(small.MediaCommand.OPEN, 0)
_DIRECTION = _gpio(0, small.GpioStatus.OK)
_ANYBODY = _i2c(_SOMEBODY, small.I2cStatus.OK, small.I2cStatus.ERR)
_BASE = _scmi(small.SCMI_BASE)
_CLOCKS = _rtc(small.RTC_CFG)
_STREAM = _sound(small.SOUND_PCM_INFO, small.SoundStatus.OK)
_START = _can(small.CanCommand.START, small.CanResult.OK)
_FOUR_BYTES = _spi(0, small.SpiResult.TRANS_OK)
_READY = _scsi(0, small.ScsiResponse.OK)

SMALL_PATHS = (
    DataPath(
        "gpio",
        rings=(0,),
        ring=0,
        request=_DIRECTION,
        requests={
            "the direction of a line": _DIRECTION,
            "the direction of a line that is not there": _gpio(_NO_LINE, small.GpioStatus.ERR),
            "half a request": _half(small.GPIO.pack(small.GPIO_GET_DIRECTION, 0, 0), small.GPIO_ANSWER.size),
        },
    ),
    DataPath(
        "i2c",
        rings=(0,),
        ring=0,
        request=_ANYBODY,
        requests={
            "is anybody there": _ANYBODY,
            "an address that cannot be": _i2c(_NO_ADDRESS, small.I2cStatus.ERR),
            "half a request": _half(small.I2C.pack(_SOMEBODY, 0, 0), 1),
        },
    ),
    DataPath(
        "scmi",
        rings=(0,),
        ring=0,
        request=_BASE,
        requests={
            "the version of the base protocol": _BASE,
            "an unknown protocol": _scmi(_NO_PROTOCOL, wrong=True),
            "half a request": _half(small.SCMI.pack(small.SCMI_BASE << small.SCMI_PROTOCOL), small.SCMI_ANSWER.size),
        },
    ),
    DataPath(
        "rtc",
        rings=(0,),
        ring=0,
        request=_CLOCKS,
        requests={
            "the number of clocks": _CLOCKS,
            "an unknown request": _rtc(_UNKNOWN, wrong=True),
            "half a request": _half(small.RTC.pack(small.RTC_CFG), small.RTC_ANSWER.size),
        },
    ),
    DataPath(
        "sound",
        rings=(0, 1),
        ring=0,
        request=_STREAM,
        requests={
            "the first stream": _STREAM,
            "an unknown request": _sound(_UNKNOWN, small.SoundStatus.BAD_MSG, small.SoundStatus.NOT_SUPP),
            "half a request": _half(small.SOUND_STATUS.pack(small.SOUND_PCM_INFO), _SOUND_ROOM),
        },
    ),
    DataPath(
        "can",
        rings=(0, 1, 2),
        ring=2,
        request=_START,
        requests={
            "start": _START,
            "an unknown request": _can(_UNKNOWN, small.CanResult.NOT_OK),
            "half a request": _half(small.CAN.pack(small.CanCommand.START), 1),
        },
    ),
    DataPath(
        "spi",
        rings=(0,),
        ring=0,
        request=_FOUR_BYTES,
        requests={
            "four bytes": _FOUR_BYTES,
            "four bytes for a chip that is not there": _spi(_NO_CHIP, small.SpiResult.PARAM_ERR),
            "half a request": _half(_transfer(0), len(_WORDS) + 1),
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
            "an unknown command": _asked(
                small.MEDIA.pack(_UNKNOWN, 0), small.MEDIA.size, {small.MediaStatus.OK}, size=4, wrong=True
            ),
            "half a request": _half(_OPEN, small.MEDIA_OPENED.size),
        },
    ),
    DataPath(
        "scsi",
        rings=(0, 1, 2),
        ring=2,
        request=_READY,
        requests={
            "TEST UNIT READY": _READY,
            "TEST UNIT READY of a target that is not there": _scsi(_NO_TARGET, small.ScsiResponse.BAD_TARGET),
            "half a request": _half(_unit(0), small.SCSI_ANSWER.size),
        },
    ),
)
