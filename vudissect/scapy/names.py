"""The names of the layers: a message's name in camel case, with its channel before and its form after it."""

import re

from vudissect.protocol.model import Answer, Channel, Device, Layout, Row

ACK_NAME = "Ack"
_PREFIXES = {Channel.MAIN: "", Channel.BACKEND: "Backend", Channel.GPU: "Gpu"}


def camel_case(text: str) -> str:
    """`SET_VRING_NUM` and `set vring num` as `SetVringNum`."""
    return "".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", text))


def header_name(channel: Channel) -> str:
    """The layer of a channel's headers: `VhostUser`, `VhostUserBackend`, `VhostUserGpu`."""
    return f"VhostUser{_PREFIXES[channel]}"


def message_name(row: Row, layout: Layout, *, reply: bool) -> str:
    """The layer of one form of a message: `SetMemTable`, `SetMemTableXen`, `GpuUpdate`, `GetConfigReply`.

    The specified form has no suffix; another has the form in its layout's key as suffix, or the whole
    key.
    """
    name = _PREFIXES[row.channel] + camel_case(row.name) + ("Reply" if reply else "")
    forms = row.reply if reply and row.answer is not Answer.IF_REPLY_ALL else row.request
    if layout is forms[0]:
        return name
    payload, form = layout.form
    return name + camel_case(form or payload)


def entry_name(layout: Layout) -> str:
    """The layer of an array's entries: `MemoryRegion`."""
    return camel_case("_".join(layout.form))


def config_name(device: Device) -> str:
    """The layer of a device's configuration space: `ConfigBlk`."""
    return f"Config{camel_case(device.name)}"
