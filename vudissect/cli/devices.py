"""A device type given by the user."""

from vudissect.cli.errors import fail
from vudissect.protocol.devices import DEVICES, device_by_name
from vudissect.protocol.model import Device
from vudissect.protocol.spelling import did_you_mean


def known_device(name: str | None) -> Device | None:
    """The device type of this name; exit 2 with the known ones if there is none."""
    if name is None:
        return None
    device = device_by_name(name)
    if device is None:
        known = ", ".join(device.name for device in DEVICES if device.config.fields)
        near = did_you_mean(name, [device.name for device in DEVICES])
        fail(f"unknown device type {name!r}; {near or f'known types: {known}'}")
    return device
