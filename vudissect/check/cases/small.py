"""Devices whose requests are a few bytes each way: one request, one that must fail, and half of one."""

from collections.abc import Iterator
from typing import NamedTuple

from vudissect.check.model import Case

_SURVIVES = "no text: a driver's fault must not end a process that serves others"
_SETTLES = "The connection is closed, or the ring goes on or stops; the process lives."


class _Device(NamedTuple):
    """Requests by their names in `vudissect/check/devices/small.py`, with what is expected of each."""

    name: str
    family: str
    section: str
    asked: str
    expected: str
    wrong: str
    expected_then: str
    afterwards: tuple[str, ...] = ()


_DEVICES = (
    _Device(
        *("gpio", "GPI", "GPIO Device, Device Operation: requestq"),
        *("the direction of a line", "The status is OK."),
        *("the direction of a line that is not there", "The status is ERR."),
    ),
    _Device(
        *("i2c", "IIC", "I2C Adapter Device, Device Operation"),
        *("is anybody there", "The status is OK, or ERR if nothing has this address."),
        *("an address that cannot be", "The status is ERR: it has more than 10 bits."),
    ),
    _Device(
        *("scmi", "SCM", "SCMI Device, Device Operation: cmdq"),
        *("the version of the base protocol", "The status is SUCCESS."),
        *("an unknown protocol", "The status is an error."),
    ),
    _Device(
        *("rtc", "RTC", "RTC Device, Device Operation: control requests"),
        *("the number of clocks", "The status is OK."),
        *("an unknown request", "The status is an error."),
    ),
    _Device(
        *("sound", "SND", "Sound Device, Device Operation: control messages"),
        *("the first stream", "The status is OK."),
        *("an unknown request", "The status is BAD_MSG or NOT_SUPP."),
    ),
    _Device(
        *("can", "CAN", "CAN Device, Device Operation: controlq"),
        *("start", "The result is OK."),
        *("an unknown request", "The result is NOT_OK."),
    ),
    _Device(
        *("spi", "SPI", "SPI Controller Device, Device Operation"),
        *("four bytes", "The result is TRANS_OK."),
        *("four bytes for a chip that is not there", "The result is PARAM_ERR."),
    ),
    _Device(
        *("media", "MED", "Media Device, Device Operation: commandq"),
        *("open", "The status is 0, and there is a session."),
        *("an unknown command", "The status is an error."),
        ("* request: close",),
    ),
    _Device(
        *("scsi", "SCS", "SCSI Host Device, Device Operation: request queues"),
        *("TEST UNIT READY", "The response is OK."),
        *("TEST UNIT READY of a target that is not there", "The response is BAD_TARGET."),
    ),
)


def _cases(device: _Device) -> Iterator[Case]:
    def case(number: int, title: str, expected: str, section: str, *steps: str) -> Case:
        talk = "\n".join(("* ready", *steps))
        name = f"{device.family}-0{number}"
        return Case(name, title, expected, section, talk, needs=("data",), device=device.name)

    text = f"virtio specification, {device.section}"
    yield case(1, device.asked, device.expected, text, f"* request: {device.asked}", *device.afterwards)
    yield case(2, device.wrong, device.expected_then, text, f"* request: {device.wrong}")
    yield case(3, "half a request", _SETTLES, _SURVIVES, "* offer: half a request", "* settled")


CASES = tuple(case for device in _DEVICES for case in _cases(device))
