"""Devices whose requests are a few bytes each way: a request that it knows has one answer, all others have another."""

from collections.abc import Callable
from typing import NamedTuple

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.rings import small
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory

_LINES, _OUTPUT = 4, 1
_CLOCKS = _SESSION = 1
_READ = 4


class Small(NamedTuple):
    """What a device is: the family of its cases, its rings, the size of the smallest request, and its two answers."""

    family: str
    rings: int
    least: int
    known: Callable[[bytes], bool]
    done: bytes
    failed: bytes
    config: bytes = b""


class SmallDevice(Model):
    """One of `SMALL`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._small = SMALL[name]
        self.rings = self._small.rings
        self.config = bytearray(self._small.config)

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        device, data = self._small, chain.read(memory)
        if len(data) < device.least:
            faults.die_of(f"{device.family}-03")
            return 0
        if faults.has(f"{device.family}-01"):
            return 0
        known = device.known(data) or faults.has(f"{device.family}-02")
        return chain.write(memory, (device.done if known else device.failed)[: chain.room])


SMALL: dict[str, Small] = {
    "gpio": Small(
        *("GPI", 2, small.GPIO.size),
        lambda data: small.GPIO.unpack_from(data)[1] < _LINES,
        small.GPIO_ANSWER.pack(small.GpioStatus.OK, _OUTPUT),
        small.GPIO_ANSWER.pack(small.GpioStatus.ERR, 0),
        _LINES.to_bytes(8, "little"),
    ),
    "i2c": Small(
        *("IIC", 1, small.I2C.size),
        lambda data: small.I2C.unpack_from(data)[0] < small.I2C_ADDRESSES,
        bytes([small.I2cStatus.OK]),
        bytes([small.I2cStatus.ERR]),
    ),
    "scmi": Small(
        *("SCM", 2, small.SCMI.size),
        lambda data: small.SCMI.unpack_from(data)[0] >> small.SCMI_PROTOCOL == small.SCMI_BASE,
        small.SCMI_ANSWER.pack(0, small.ScmiStatus.SUCCESS, small.SCMI_VERSION),
        small.SCMI_ANSWER.pack(0, small.ScmiStatus.NOT_SUPPORTED, 0),
    ),
    "rtc": Small(
        *("RTC", 1, small.RTC.size),
        lambda data: small.RTC.unpack_from(data)[0] == small.RTC_CFG,
        small.RTC_ANSWER.pack(small.RtcStatus.OK, _CLOCKS),
        small.RTC_ANSWER.pack(small.RtcStatus.NOT_SUPPORTED, 0),
    ),
    "sound": Small(
        *("SND", 4, small.SOUND_STATUS.size),
        lambda data: small.SOUND_STATUS.unpack_from(data)[0] == small.SOUND_PCM_INFO,
        small.SOUND_STATUS.pack(small.SoundStatus.OK) + bytes(small.SOUND_PCM_INFO_SIZE),
        small.SOUND_STATUS.pack(small.SoundStatus.NOT_SUPP),
        bytes(12),
    ),
    "can": Small(
        *("CAN", 3, small.CAN.size),
        lambda data: small.CAN.unpack_from(data)[0] in set(small.CanCommand),
        bytes([small.CanResult.OK]),
        bytes([small.CanResult.NOT_OK]),
        bytes(2),
    ),
    "spi": Small(
        *("SPI", 1, small.SPI.size),
        lambda data: not small.SPI.unpack_from(data)[0],
        bytes(_READ) + bytes([small.SpiResult.TRANS_OK]),
        bytes(_READ) + bytes([small.SpiResult.PARAM_ERR]),
        b"\1".ljust(32, b"\0"),
    ),
    "media": Small(
        *("MED", 2, small.MEDIA.size),
        lambda data: small.MEDIA.unpack_from(data)[0] in set(small.MediaCommand),
        small.MEDIA_OPENED.pack(small.MediaStatus.OK, _SESSION),
        small.MEDIA.pack(small.MediaStatus.NOTTY, 0),
        bytes(40),
    ),
    "scsi": Small(
        *("SCS", 3, small.SCSI.size),
        lambda data: not data[1],
        small.SCSI_ANSWER.pack(0, 0, 0, 0, small.ScsiResponse.OK, b""),
        small.SCSI_ANSWER.pack(0, 0, 0, 0, small.ScsiResponse.BAD_TARGET, b""),
        bytes(36),
    ),
}
