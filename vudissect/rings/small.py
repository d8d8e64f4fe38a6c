"""Requests of devices that have few, and of a few bytes each: buses, clocks, sound, media, SCSI.

Source: virtio specification, the section of each device; Linux include/uapi/linux/virtio_*.h.
"""

from enum import IntEnum
from struct import Struct

GPIO = Struct("<HHI")
"""What is asked for, a line, a value."""
GPIO_ANSWER = Struct("<BB")
"""Status and value."""
GPIO_GET_DIRECTION = 2


class GpioStatus(IntEnum):
    """How a request ended."""

    OK = 0
    ERR = 1


I2C = Struct("<HHI")
"""An address, one bit to the left; padding; flags."""
I2C_ADDRESSES = 1 << 11
"""Addresses in requests are less than this: they have 10 bits, or 7."""


class I2cStatus(IntEnum):
    """How a transfer ended; one byte."""

    OK = 0
    ERR = 1


SCMI = Struct("<I")
"""The header of a message: `SCMI_PROTOCOL` is where its protocol begins."""
SCMI_PROTOCOL = 10
SCMI_ANSWER = Struct("<IiI")
"""The header again, the status, and what was asked for."""
SCMI_STATUS_AT = 4
SCMI_BASE = 0x10
SCMI_VERSION = 0x20000
"""Version 2.0 of the base protocol."""


class ScmiStatus(IntEnum):
    """How a message ended."""

    SUCCESS = 0
    NOT_SUPPORTED = -1


RTC = Struct("<H6x")
"""What is asked for."""
RTC_ANSWER = Struct("<B7xH6x")
"""Status, and the number of clocks."""
RTC_CFG = 0x1000


class RtcStatus(IntEnum):
    """How a request ended."""

    OK = 0
    NOT_SUPPORTED = 2


SOUND = Struct("<IIII")
"""A question about items: what it asks for, the first of them, how many, and the size of the answer for each."""
SOUND_STATUS = Struct("<I")
"""The answer begins with it."""
SOUND_PCM_INFO = 0x100
SOUND_PCM_INFO_SIZE = 32


class SoundStatus(IntEnum):
    """How a control message ended."""

    OK = 0x8000
    BAD_MSG = 0x8001
    NOT_SUPP = 0x8002


CAN = Struct("<H")
"""What is asked for."""


class CanCommand(IntEnum):
    """Of the control ring."""

    START = 0x201
    STOP = 0x202


class CanResult(IntEnum):
    """How a command ended; one byte."""

    OK = 0
    NOT_OK = 1


SPI = Struct("<BBBBB3xIIIIII")
"""The chip, bits of a word, whether the chip stays selected, wires, mode, frequency, and delays."""


class SpiResult(IntEnum):
    """How a transfer ended; one byte, after what was read."""

    TRANS_OK = 0
    PARAM_ERR = 1


MEDIA = Struct("<II")
"""A command, and padding; or a session, and padding."""
MEDIA_OPENED = Struct("<I4xI4x")
"""The answer to OPEN: status and session; others have the status only."""


class MediaCommand(IntEnum):
    """Of the command ring."""

    OPEN = 1
    CLOSE = 2


class MediaStatus(IntEnum):
    """How a command ended: an errno."""

    OK = 0
    NOTTY = 25


SCSI = Struct("<8sQBBB32s")
"""The address of a unit, a tag, attribute, priority, reference, and the command."""
SCSI_ANSWER = Struct("<IIHBB96s")
"""Length of the sense data, residual, qualifier, status, response, sense data."""
SCSI_RESPONSE_AT = 11


class ScsiResponse(IntEnum):
    """How a request ended for the transport."""

    OK = 0
    BAD_TARGET = 3
