"""The virtio device types and the look-up by name, number and size of the configuration space.

The rows are in the other modules of this package. The fields of a configuration space are little-endian on every
machine, except for legacy devices; adjacent queue names ending in `*` repeat together (rx0, tx0, rx1, tx1, …).
"""

from functools import cache

from vudissect.protocol.bits import set_bits
from vudissect.protocol.devices.crypto import CRYPTO
from vudissect.protocol.devices.machine import MACHINE_DEVICES
from vudissect.protocol.devices.media import MEDIA_DEVICES
from vudissect.protocol.devices.network import NETWORK_DEVICES
from vudissect.protocol.devices.storage import STORAGE_DEVICES
from vudissect.protocol.devices.undescribed import UNDESCRIBED_DEVICES
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Device, Meaning

DEVICES: tuple[Device, ...] = tuple(
    sorted(
        (*NETWORK_DEVICES, *STORAGE_DEVICES, *MEDIA_DEVICES, *MACHINE_DEVICES, CRYPTO, *UNDESCRIBED_DEVICES),
        key=lambda device: device.id,
    )
)

_BY_ID = {device.id: device for device in DEVICES}
_ALIASES = {
    "block": "blk",
    "entropy": "rng",
    "p9": "9p",
    "snd": "sound",
    "vga": "gpu",
    "virtiofs": "fs",
}
_BY_NAME = {device.name: device for device in DEVICES}
_BY_NAME |= {alias: _BY_NAME[name] for alias, name in _ALIASES.items()}

# Sizes of a configuration space before it grew, or in programs that stop at the last field of a feature.
_EARLIER_SIZES = {
    "net": (6, 8, 10, 12, 17, 24),
    "blk": (36, 48, 57, 60, 72),
    "console": (4, 8),
    "balloon": (8, 12),
    "gpu": (16,),
    "iommu": (36,),
    "sound": (12,),
    "fs": (40,),
}


def device_by_name(name: str) -> Device | None:
    """The device with that name, in any case, with or without `virtio-` or `vhost-user-`: `blk`, `virtio-BLK`."""
    plain = name.lower().replace("_", "-").removeprefix("virtio-").removeprefix("vhost-user-")
    return _BY_NAME.get(plain)


def device_by_id(number: int) -> Device | None:
    """The device of that virtio device id: 1 to 49, and 60 to 63, which programs use outside the specification."""
    return _BY_ID.get(number)


# Queues for what goes on beside the work of a device: drivers need not use them, and firmware does not.
_AUXILIARY = frozenset({"control", "ctrl", "control rx", "control tx", "cursor", "event", "hiprio", "status"})


def is_auxiliary(device: Device, index: int, count: int) -> bool:
    """Whether a queue of a device that has so many is for control or events, not for its work."""
    return queue_name(device, index, count) in _AUXILIARY


# Queues that the driver fills with empty buffers beforehand: the device completes one when it has something to report.
_FILLED = frozenset({"alarm", "control rx", "event", "free page", "reporting", "stats"})


def is_filled_beforehand(device: Device, index: int, count: int) -> bool:
    """Whether a buffer in a queue of a device that has so many may lawfully stay there for ever."""
    name = queue_name(device, index, count)
    return name in _FILLED or name.startswith("rx")


def is_polled_by_driver(device: Device, index: int, count: int) -> bool:
    """Whether drivers of a device that has so many queues look for completions in this one, and want no calls."""
    name = queue_name(device, index, count)
    return name.startswith("tx") or name in _AUXILIARY


def queue_name(device: Device, index: int, count: int) -> str:
    """The name of a queue of a device that has so many; a `*` at its end if there may be several. "" if unknown."""
    names = device.queues
    repeated = [place for place, name in enumerate(names) if name.endswith("*")]
    if not repeated:
        return names[index] if index < len(names) else ""
    first, number = repeated[0], len(repeated)
    if index < first:
        return names[index]
    # What comes after those that repeat is there where it fits: a network device without CTRL_VQ has pairs only.
    after = names[first + number :]
    repeats = count - first - len(after)
    is_there = repeats >= number and repeats % number == 0
    if is_there and count - len(after) <= index < count:
        return after[index - count]
    return names[first + (index - first) % number]


def config_candidates(size: int) -> tuple[Device, ...]:
    """Devices whose configuration space has, or once had, `size` bytes; those of variable size are never candidates."""
    return tuple(
        device for device in DEVICES if device.config.size == size or size in _EARLIER_SIZES.get(device.name, ())
    )


@cache
def config_ends(device: Device) -> frozenset[int]:
    """Where a read of the configuration space can end: after a field, or within an array of bytes."""
    ends, end = set[int](), 0
    for field in device.config.fields:
        start, end = end, end + field.size
        is_array = field.code.endswith("s") and field.meaning is not Meaning.PADDING
        ends.update(range(start + 1, end + 1) if is_array else (end,))
    return frozenset(ends)


def feature_names(device: Device | None, word: int) -> tuple[str, ...]:
    """Names of the feature bits set in `word`, lowest first: the device's own, else a shared one's, else `bit N`."""
    named = VIRTIO_FEATURES.by_number | (device.features.by_number if device is not None else {})
    return tuple(named[number].name if number in named else f"bit {number}" for number in set_bits(word))
