"""`--device`: the device type, named by the user instead of guessed.

The devices are imported only if one is named: vuproxy starts without them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vudissect.cli.completion import devices
from vudissect.cli.errors import fail

if TYPE_CHECKING:
    from vudissect.protocol.model import Device

Command = TypeVar("Command", bound=Callable[..., Any])


def device_option(
    purpose: str = "The device type (blk, net, fs, ...), instead of a guess.",
) -> Callable[[Command], Command]:
    """The option for a device type; None if it is not given, exit 2 with the known ones if there is no such type."""
    return click.option("--device", metavar="TYPE", callback=_known, shell_complete=devices, help=purpose)


def _known(_context: click.Context, _parameter: click.Parameter, name: str | None) -> "Device | None":
    if name is None:
        return None
    from vudissect.protocol.devices import DEVICES, device_by_name
    from vudissect.protocol.spelling import did_you_mean

    device = device_by_name(name)
    if device is None:
        known = ", ".join(device.name for device in DEVICES if device.config.fields)
        near = did_you_mean(name, [device.name for device in DEVICES])
        fail(f"unknown device type {name!r}; {near or f'known types: {known}'}")
    return device
