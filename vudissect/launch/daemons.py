"""virtiofsd in C and in Rust, DPDK, and whatever has the same options."""

import os
from collections.abc import Iterator, Mapping

from vudissect.launch.options import Option, Properties, in_property, in_value, is_on, options
from vudissect.launch.place import LeftAlone, Socket
from vudissect.protocol.model import Side

# Back-ends that listen at one --socket-path, and their devices.
_LISTENING = {"virtiofsd": "fs", "vhost-user-blk": "blk", "vhost-user-gpu": "gpu", "vhost-user-input": "input"}
_NET_VHOST = ("net_vhost", "eth_vhost")
_VIRTIO_USER = ("net_virtio_user", "virtio_user", "crypto_virtio_user")


def find(words: list[str], _files: Mapping[str, str]) -> Iterator[Socket | LeftAlone]:
    """The sockets of a command line."""
    device = next((_LISTENING[name] for word in words if (name := os.path.basename(word)) in _LISTENING), None)
    for option in options(words):
        if option.name == "vdev":
            yield from _vdev(option)
        elif device is not None:
            yield from _listening(option, device, words)


def _vdev(option: Option) -> Iterator[Socket]:
    found = Properties(option.value, "name")
    name = found["name"]
    if name.startswith(_NET_VHOST):
        side, key, listens = Side.BACK_END, "iface", not is_on(found.get("client", "0"))
    elif name.startswith(_VIRTIO_USER) and not found.get("path", "").startswith("/dev/"):
        side, key, listens = Side.FRONT_END, "path", is_on(found.get("server", "0"))
    else:
        return
    if key in found:
        device = "crypto" if name.startswith("crypto") else "net"
        replace = in_property(option.prefix, found, key)
        yield Socket(name, device, side, listens, found[key], option.index, replace)


def _listening(option: Option, device: str, words: list[str]) -> Iterator[Socket | LeftAlone]:
    name = _tag(words) or device
    if option.name in ("socket-path", "socket", "s"):
        replace = in_value(option.prefix)
        yield Socket(name, device, Side.BACK_END, True, option.value, option.index, replace)
    elif option.name == "o" and "vhost_user_socket" in (found := Properties(option.value)):
        replace = in_property(option.prefix, found, "vhost_user_socket")
        yield Socket(name, device, Side.BACK_END, True, found["vhost_user_socket"], option.index, replace)
    elif option.name == "fd":
        if option.prefix:
            address = f"fd:{option.value}"
            yield Socket(name, device, Side.BACK_END, True, address, option.index, _instead_of_descriptor)
        else:
            yield LeftAlone(name, f"its socket is descriptor {option.value}: write --fd={option.value}")


def _tag(words: list[str]) -> str:
    return next((option.value for option in options(words) if option.name == "tag"), "")


def _instead_of_descriptor(_: str, path: str) -> str:
    return f"--socket-path={path}"
