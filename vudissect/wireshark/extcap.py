"""How an extcap program describes itself: Wireshark asks for its interfaces, link types and options.

The format is that of Wireshark's doc/extcap.adoc: lines with a word and values in braces. The program itself is
`vudissect.cli.extcap`.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from vudissect.capture.blocks import LINK_TYPE_EXPORTED_PDU
from vudissect.capture.packet import MAX_MESSAGE

INTERFACE = "vhost-user"
"""The name of the interface, as in `tshark -i vhost-user`."""

LAUNCHER = "vudissect-extcap"
"""The name of the program in Wireshark's extcap folder."""

_DISPLAY = "vhost-user proxy"
_NO_CHOICES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Option:
    """A line of the form: the option of the program that it sets, its type, and its texts.

    `choices` are value and text of a selector; `limits` the range of a number.
    """

    call: str
    display: str
    type: str
    tooltip: str
    default: str = ""
    placeholder: str = ""
    group: str = ""
    limits: str = ""
    required: bool = False
    choices: Mapping[str, str] = field(default_factory=lambda: _NO_CHOICES)


_ADDRESS = "An absolute path, or @NAME for an abstract socket, which has no mode: any user can connect to it"
_DETAILS = "Details"

OPTIONS = (
    Option("--front-end", "Socket of the front-end", "string", _ADDRESS, placeholder="/tmp/front.sock", required=True),
    Option(
        "--front-end-role",
        "The front-end",
        "selector",
        "What the front-end (QEMU, virtio-user) does with its socket",
        default="listen",
        choices={"listen": "connects to the proxy", "connect": "listens, and the proxy connects to it"},
    ),
    Option("--back-end", "Socket of the back-end", "string", _ADDRESS, placeholder="/tmp/back.sock", required=True),
    Option(
        "--back-end-role",
        "The back-end",
        "selector",
        "What the back-end (virtiofsd, qemu-storage-daemon, DPDK) does with its socket",
        default="connect",
        choices={"listen": "connects to the proxy", "connect": "listens, and the proxy connects to it"},
    ),
    Option("--once", "End after the first connection", "boolflag", "Otherwise the next one is served", group=_DETAILS),
    Option(
        "--wait",
        "Seconds to wait for a side that listens",
        "double",
        "After that the connection of the waiting side is closed",
        default="30",
        group=_DETAILS,
    ),
    Option(
        "--snaplen",
        "Bytes recorded from each message",
        "unsigned",
        "The whole message is always forwarded",
        default="65536",
        limits=f"12,{MAX_MESSAGE}",
        group=_DETAILS,
    ),
    Option(
        "--no-interpose",
        "Do not record the back-end and GPU channels",
        "boolflag",
        "These channels then do not pass through the proxy",
        group=_DETAILS,
    ),
    Option(
        "--byte-order",
        "Byte order",
        "selector",
        "Detected from the first message; set it if that is wrong",
        default="auto",
        choices={"auto": "detected from the first message", "little": "little-endian", "big": "big-endian"},
        group=_DETAILS,
    ),
)


def interfaces(version: str) -> str:
    """The answer to `--extcap-interfaces`."""
    return _sentence("extcap", version=version, display=_DISPLAY) + _sentence(
        "interface", value=INTERFACE, display=_DISPLAY
    )


def link_types() -> str:
    """The answer to `--extcap-dlts`."""
    return _sentence("dlt", number=str(LINK_TYPE_EXPORTED_PDU), name="WIRESHARK_UPPER_PDU", display="vhost-user")


def form() -> str:
    """The answer to `--extcap-config`."""
    return "".join(_lines())


def launcher(python: str) -> str:
    """The text of the program in Wireshark's extcap folder, which runs this installation of vudissect."""
    return (
        "#!/bin/sh\n"
        "# Adds the vhost-user proxy to Wireshark's list of interfaces. Written by vudissect wireshark install.\n"
        f'exec {shlex.quote(python)} -P -m vudissect.cli.extcap "$@"\n'
    )


def _lines() -> Iterator[str]:
    for number, option in enumerate(OPTIONS):
        values = {
            "number": str(number),
            "call": option.call,
            "display": option.display,
            "type": option.type,
            "tooltip": option.tooltip,
            "default": "" if option.choices else option.default,
            "placeholder": option.placeholder,
            "range": option.limits,
            "required": "true" if option.required else "",
            "group": option.group,
        }
        yield _sentence("arg", **{name: value for name, value in values.items() if value})
        for value, text in option.choices.items():
            default = {"default": "true"} if value == option.default else {}
            yield _sentence("value", arg=str(number), value=value, display=text, **default)


def _sentence(word: str, **values: str) -> str:
    return f"{word} {''.join(f'{{{name}={value}}}' for name, value in values.items())}\n"
