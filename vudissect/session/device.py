"""The virtio device type of a connection: a guess that new evidence can overturn.

The evidence is weighed: a program that serves one device type, the offered features, the sizes of the
configuration space that are read. A driver that reads field by field reads sizes that belong to no device, but each of
them ends with a field of its device.
"""

from functools import lru_cache
from typing import NamedTuple

from vudissect.protocol.bits import set_bits
from vudissect.protocol.devices import DEVICES, config_candidates, device_by_name
from vudissect.protocol.model import Device

# Bits that belong to the device type; the others mean the same for all devices.
_DEVICE_BITS = sum(1 << number for number in (*range(24), *range(50, 64)))
# Fewer bits than this fit several device types.
_FEWEST_BITS = 3

# Points for a device, or against it.
SERVED = 8  # by a program that serves no other
ONLY_SIZE = 4  # no other has a configuration space of this size
SHARED_SIZE = 1
BEST_FEATURES = 2  # it has all offered features, and fewer others than the rest
NO_FIELD = -3  # none of its fields ends where a read of its configuration ended
OTHER_FEATURES = -4  # it lacks an offered feature

# A hostile peer could read a new size each time.
MOST_SIZES = 32

# Programs that serve a single device type, by their names in the kernel (15 characters).
PROGRAMS = {
    "virtiofsd": "fs",
    "passt": "net",
    "passt.avx2": "net",
    "ovs-vswitchd": "net",
    "qemu-storage-da": "blk",
    "vhost-user-blk": "blk",
    "vhost-user-gpu": "gpu",
    "vhost-user-inpu": "input",
    "vhost-user-scsi": "scsi",
    "vhost-device-ca": "can",
    "vhost-device-co": "console",
    "vhost-device-i2": "i2c",
    "vhost-device-in": "input",
    "vhost-device-me": "media",
    "vhost-device-rn": "rng",
    "vhost-device-so": "sound",
    "vhost-device-sp": "spi",
    "vhost-device-vs": "vsock",
}


class DeviceGuess(NamedTuple):
    """The device, whether the user selected it (`settled`), and the evidence: program, features, sizes read."""

    device: Device | None = None
    settled: bool = False
    program: str = ""
    offered: int = 0
    sizes: tuple[int, ...] = ()

    def after_program(self, command: str) -> "DeviceGuess":
        """After the command name of a peer, as in /proc/PID/comm, is known."""
        return self._replace(program=command)._weighed() if command in PROGRAMS else self

    def after_config(self, size: int) -> "DeviceGuess":
        """After a part of the configuration space of this size in bytes was read from its start."""
        if size in self.sizes or not size or len(self.sizes) == MOST_SIZES:
            return self
        return self._replace(sizes=(*self.sizes, size))._weighed()

    def after_features(self, offered: int) -> "DeviceGuess":
        """After the back-end has offered features."""
        own = offered & _DEVICE_BITS
        return self if own == self.offered else self._replace(offered=own)._weighed()

    def _weighed(self) -> "DeviceGuess":
        return self if self.settled else self._replace(device=_weigh(self.program, self.offered, self.sizes))


@lru_cache(maxsize=256)
def _weigh(program: str, offered: int, sizes: tuple[int, ...]) -> Device | None:
    """The device with the most evidence for it; None if there is none."""
    points = dict.fromkeys(DEVICES, 0)
    served = device_by_name(PROGRAMS.get(program, ""))
    if served is not None:
        points[served] += SERVED
    if offered.bit_count() >= _FEWEST_BITS:
        bits = set(set_bits(offered))
        fitting = [device for device in DEVICES if bits <= device.features.by_number.keys()]
        for device in DEVICES:
            points[device] += 0 if device in fitting else OTHER_FEATURES
        if fitting:
            points[min(fitting, key=lambda device: len(device.features.bits))] += BEST_FEATURES
    for size in sizes:
        candidates = config_candidates(size)
        for device in DEVICES:
            if device in candidates:
                points[device] += ONLY_SIZE if len(candidates) == 1 else SHARED_SIZE
            elif size not in device.config_ends:
                points[device] += NO_FIELD
    best = max(DEVICES, key=lambda device: points[device])
    return best if points[best] > 0 else None
