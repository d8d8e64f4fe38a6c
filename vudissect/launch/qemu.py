"""QEMU and qemu-storage-daemon.

A vhost-user device names a character device (`-chardev socket`), directly or through a network device or an object.
Only character devices that are used like this are moved: others are consoles and monitors.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from vudissect.launch.options import Option, Properties, in_property, is_on, options
from vudissect.launch.place import LeftAlone, Socket, device_type
from vudissect.protocol.model import Side

_SECTION = re.compile(r'\[(\w+)(?:\s+"(.*)")?\]')
_ASSIGNMENT = re.compile(r'\s*([\w.-]+)\s*=\s*"(.*)"\s*')
_USERS = {"device", "netdev", "object"}
_IMPLIED = {"chardev": "backend", "device": "driver", "netdev": "type", "object": "qom-type", "export": "type"}
# Ends of the names of drivers, for the bus.
_BUS = re.compile(r"-(pci|ccw|device|pci-transitional|pci-non-transitional)$")


@dataclass(frozen=True, slots=True)
class _Item:
    """Something that an option or a section of a configuration file defines."""

    kind: str
    properties: Properties | dict[str, str]
    index: int = 0
    prefix: int = 0
    file: str = ""

    @property
    def name(self) -> str:
        return self.properties.get("id", "")

    @property
    def driver(self) -> str:
        return self.properties.get("driver", "")


def config_files(words: list[str]) -> list[str]:
    """The files of `-readconfig`."""
    return list(dict.fromkeys(option.value for option in options(words) if option.name == "readconfig"))


def uses_of(words: list[str], path: str) -> list[tuple[int, int]]:
    """Where a file of `-readconfig` is named: the words, and the characters before its name in them."""
    return [(each.index, each.prefix) for each in options(words) if each.name == "readconfig" and each.value == path]


def find(words: list[str], files: Mapping[str, str]) -> Iterator[Socket | LeftAlone]:
    """The sockets of a command line and its configuration files."""
    items = [_Item(option.name, _properties(option), option.index, option.prefix) for option in options(words)]
    for path, text in files.items():
        items += _sections(path, text)
    for item in items:
        if item.kind == "chardev":
            user = _user(item.name, items)
            if user is not None:
                yield _chardev(item, *user)
        elif item.kind == "export" and item.properties.get("type") == "vhost-user-blk":
            yield _export(item)
        elif item.kind == "blockdev" and item.driver == "virtio-blk-vhost-user":
            name = item.properties.get("node-name", "blk")
            yield _at_path(item, name, "blk", item.properties.get("path", ""), listens=False)


def _properties(option: Option) -> Properties:
    return Properties(option.value, _IMPLIED.get(option.name, ""))


def _sections(path: str, text: str) -> Iterator[_Item]:
    kind, properties = "", dict[str, str]()
    for line in [*text.splitlines(), "[end]"]:
        if match := _SECTION.match(line.strip()):
            if kind:
                yield _Item(kind, properties, file=path)
            kind, properties = match[1], {"id": match[2] or ""}
        elif match := _ASSIGNMENT.fullmatch(line):
            properties[match[1]] = match[2]


def _user(chardev: str, items: list[_Item]) -> tuple[str, str] | None:
    """The name and device type of what uses a character device for vhost-user; None if nothing does."""
    for item in items:
        kind = item.driver or item.properties.get("qom-type", "") or item.properties.get("type", "")
        if item.kind not in _USERS or item.properties.get("chardev") != chardev or "vhost-user" not in kind:
            continue
        if item.kind == "device":
            return item.name or chardev, _type(kind)
        # A network device or an object belongs to a device that names it.
        for device in items:
            if device.kind == "device" and item.name in (
                device.properties.get("netdev"),
                device.properties.get("vhost-user"),
                device.properties.get("cryptodev"),
            ):
                return device.name or item.name, "net" if item.kind == "netdev" else _type(device.driver)
        return item.name or chardev, "net" if item.kind == "netdev" else ""
    return None


def _type(driver: str) -> str:
    return device_type(_BUS.sub("", driver))


def _chardev(item: _Item, name: str, device: str) -> Socket | LeftAlone:
    found = item.properties
    listens = is_on(found.get("server", "off"))
    if found.get("backend") != "socket":
        return LeftAlone(name, f"its character device is not a socket but {found.get('backend', 'unknown')}")
    if "fd" in found:
        if not found["fd"].isdecimal():
            return LeftAlone(name, f"its socket is the descriptor {found['fd']!r}, which comes through the monitor")
        replace = _replaced(item, "path", frozenset({"fd"}))
        return Socket(name, device, Side.FRONT_END, listens, f"fd:{found['fd']}", item.index, replace, item.file)
    if "path" not in found:
        return LeftAlone(name, "its socket is not a Unix socket, which vhost-user needs")
    if is_on(found.get("abstract", "off")) and found.get("tight", "on") in ("off", "no", "false"):
        return LeftAlone(name, "its abstract socket is padded with zeros (tight=off): use tight=on")
    return _at_path(item, name, device, found["path"], listens=listens)


def _at_path(item: _Item, name: str, device: str, path: str, *, listens: bool) -> Socket:
    abstract = is_on(item.properties.get("abstract", "off"))
    return Socket(
        name,
        device,
        Side.FRONT_END,
        listens,
        ("@" if abstract else "") + path,
        item.index,
        _replaced(item, "path", frozenset({"abstract", "tight"} if abstract else ())),
        item.file,
    )


def _export(item: _Item) -> Socket | LeftAlone:
    found = item.properties
    name, kind = found.get("id", "export"), found.get("addr.type", "")
    if kind == "fd":
        address = f"fd:{found.get('addr.str', '')}"
        return Socket(name, "blk", Side.BACK_END, True, address, item.index, partial(_replace_descriptor, item))
    if kind != "unix":
        return LeftAlone(name, f"its address has the type {kind or 'unknown'}: use addr.type=unix")
    abstract = is_on(found.get("addr.abstract", "off"))
    dropped = frozenset({"addr.abstract", "addr.tight"} if abstract else ())
    replace = _replaced(item, "addr.path", dropped)
    address = ("@" if abstract else "") + found.get("addr.path", "")
    return Socket(name, "blk", Side.BACK_END, True, address, item.index, replace)


def _replaced(item: _Item, key: str, without: frozenset[str]) -> Callable[[str, str], str]:
    if isinstance(item.properties, Properties):
        return in_property(item.prefix, item.properties, key, without)
    return partial(_replace_in_section, item, key, without)


def _replace_descriptor(item: _Item, text: str, path: str) -> str:
    assert isinstance(item.properties, Properties)
    changes = {"addr.type": "unix", "addr.path": path}
    return text[: item.prefix] + item.properties.text(changes, frozenset({"addr.str"}))


def _replace_in_section(item: _Item, key: str, without: frozenset[str], text: str, path: str) -> str:
    lines, here = [], False
    new = [f'  {key} = "{path}"']
    for line in text.splitlines():
        assigned = _ASSIGNMENT.fullmatch(line)
        if match := _SECTION.match(line.strip()):
            here = (match[1], match[2] or "") == (item.kind, item.name)
        elif here and assigned and assigned[1] in {key, *without}:
            # In place of the first of them.
            lines += new
            new = []
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"
