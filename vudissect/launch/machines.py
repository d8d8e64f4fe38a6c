"""Cloud Hypervisor and crosvm, which are front-ends, and crosvm's devices, which are back-ends."""

import os
from collections.abc import Iterator, Mapping

from vudissect.launch.options import Properties, in_property, in_value, is_on, options
from vudissect.launch.place import LeftAlone, Socket, device_type
from vudissect.protocol.model import Side

_CLOUD_HYPERVISOR = {"disk": "blk", "net": "net", "fs": "fs", "generic-vhost-user": ""}
_SEVERAL = frozenset(_CLOUD_HYPERVISOR)
_OLD_CROSVM = "vhost-user-"


def find(words: list[str], _files: Mapping[str, str]) -> Iterator[Socket | LeftAlone]:
    """The sockets of a command line."""
    programs = {os.path.basename(word) for word in words}
    if "cloud-hypervisor" in programs:
        yield from _cloud_hypervisor(words)
    if "crosvm" in programs:
        yield from _crosvm(words)


def _cloud_hypervisor(words: list[str]) -> Iterator[Socket]:
    for option in options(words, several=_SEVERAL):
        if option.name not in _CLOUD_HYPERVISOR:
            continue
        found = Properties(option.value)
        key = "vhost_socket" if "vhost_socket" in found else "socket"
        if key in found and (option.name in ("fs", "generic-vhost-user") or is_on(found.get("vhost_user", "off"))):
            device = _CLOUD_HYPERVISOR[option.name]
            name = found.get("id") or found.get("tag") or device or option.name
            listens = found.get("vhost_mode") == "server"
            replace = in_property(option.prefix, found, key)
            yield Socket(name, device, Side.FRONT_END, listens, found[key], option.index, replace)


def _crosvm(words: list[str]) -> Iterator[Socket]:
    is_device = any(each == "device" for each in words)
    for option in options(words):
        if option.name == "vhost-user":
            found = Properties(option.value)
            if "socket" in found:
                device = device_type(found.get("type", ""))
                replace = in_property(option.prefix, found, "socket")
                yield Socket(device or "device", device, Side.FRONT_END, False, found["socket"], option.index, replace)
        elif option.name == "socket-path" and is_device:
            kind = device_type(words[words.index("device") + 1])
            replace = in_value(option.prefix)
            yield Socket(kind or "device", kind, Side.BACK_END, True, option.value, option.index, replace)
        elif option.name.startswith(_OLD_CROSVM):
            device = device_type(option.name.removeprefix(_OLD_CROSVM))
            path, colon, rest = option.value.partition(":")
            replace = in_value(option.prefix, colon + rest)
            yield Socket(rest or device or "device", device, Side.FRONT_END, False, path, option.index, replace)
