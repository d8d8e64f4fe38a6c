"""The virtio device type of a connection: a guess that new evidence can overturn, unless a user has named the device.

The evidence is weighed: a program that serves one device type, the features that are offered and acknowledged, the
sizes of the configuration space that are read. A driver that reads field by field reads sizes that belong to no device,
but each of them ends with a field of its device.
"""

from functools import lru_cache
from typing import NamedTuple

from vudissect.protocol.bits import set_bits
from vudissect.protocol.devices import DEVICES, config_candidates, config_ends, device_by_name
from vudissect.protocol.model import Device

# Bits that belong to the device type; the others mean the same for all devices.
_DEVICE_BITS = sum(1 << number for number in (*range(24), *range(50, 64)))
# Fewer bits than this fit several device types.
_FEWEST_BITS = 3

# Points for a device, or against it.
SERVED = 8  # by a program that serves no other
ONLY_SIZE = 4  # no other has a configuration space of this size
SHARED_SIZE = 1
BEST_FEATURES = 2  # it has all features, and fewer others than the rest
NO_FIELD = -3  # none of its fields ends where a read of its configuration ended
OTHER_FEATURES = -4  # it lacks a feature

# A hostile peer could read a new size each time.
MOST_SIZES = 32

# Programs that serve one device type, or few, by the names of their executables.
_PROGRAMS: dict[str, tuple[str, ...]] = {
    "dpdk-testpmd": ("net",),
    "dpdk-vhost_crypto": ("crypto",),
    "ovs-vswitchd": ("net",),
    "passt": ("net",),
    "passt.avx2": ("net",),
    "qemu-storage-daemon": ("blk",),
    "snabb": ("net",),
    "testpmd": ("net",),
    "vhost-device-can": ("can",),
    "vhost-device-console": ("console",),
    "vhost-device-gpio": ("gpio",),
    "vhost-device-gpu": ("gpu",),
    "vhost-device-i2c": ("i2c",),
    "vhost-device-input": ("input",),
    "vhost-device-media": ("media",),
    "vhost-device-rng": ("rng",),
    "vhost-device-rtc": ("rtc",),
    "vhost-device-scmi": ("scmi",),
    "vhost-device-scsi": ("scsi",),
    "vhost-device-sound": ("sound",),
    "vhost-device-spi": ("spi",),
    "vhost-device-video": ("video-dec", "video-enc"),
    "vhost-device-vsock": ("vsock",),
    "vhost-user-blk": ("blk",),
    "vhost-user-bridge": ("net",),
    "vhost-user-gpu": ("gpu",),
    "vhost-user-input": ("input",),
    "vhost-user-scsi": ("scsi",),
    "vhost_blk": ("blk",),
    "vhost_crypto": ("crypto",),
    "virtiofsd": ("fs",),
}
_LONGEST_COMMAND = 15  # the kernel cuts command names


def _with_commands(programs: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The same by executable and by command name; programs whose command names are the same share an entry."""
    found = dict(programs)
    for name, devices in programs.items():
        if len(name) > _LONGEST_COMMAND:
            found[name[:_LONGEST_COMMAND]] = found.get(name[:_LONGEST_COMMAND], ()) + devices
    return found


PROGRAMS = _with_commands(_PROGRAMS)


class DeviceGuess(NamedTuple):
    """The device, whether a user has named it (`settled`), and the evidence.

    That is the names of the devices that the back-end's program serves, the features that were offered or acknowledged,
    and the sizes that were read.
    """

    device: Device | None = None
    settled: bool = False
    served: tuple[str, ...] = ()
    features: int = 0
    sizes: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """The name of the device, with a question mark if it is a guess: `blk`, `blk?`; "" if there is none."""
        return "" if self.device is None else self.device.name + ("" if self.settled else "?")

    @property
    def words(self) -> str:
        """The name of the device in a sentence: `blk`, `blk (guessed)`; "" if there is none."""
        return "" if self.device is None else self.device.name + ("" if self.settled else " (guessed)")

    @property
    def details(self) -> dict[str, str]:
        """What a capture records about it: the device that a user has named."""
        return {"device": self.device.name} if self.device is not None and self.settled else {}

    def named(self, name: str) -> "DeviceGuess":
        """After the capture has named the device; a name that nobody knows changes nothing."""
        device = device_by_name(name) if name and not self.settled else None
        return self if device is None else self._replace(device=device, settled=True)

    def after_program(self, command: str, executable: str = "") -> "DeviceGuess":
        """After a peer's command name, as in /proc/PID/comm, and perhaps the path of its executable are known."""
        served = PROGRAMS.get(executable.rpartition("/")[2]) or PROGRAMS.get(command, ())
        return self._replace(served=served)._weighed() if served else self

    def after_config(self, size: int) -> "DeviceGuess":
        """After a part of the configuration space of this size in bytes was read from its start."""
        if size in self.sizes or not size or len(self.sizes) == MOST_SIZES:
            return self
        return self._replace(sizes=(*self.sizes, size))._weighed()

    def after_features(self, word: int) -> "DeviceGuess":
        """After the back-end has offered features, or the front-end has acknowledged some."""
        features = self.features | word & _DEVICE_BITS
        return self if features == self.features else self._replace(features=features)._weighed()

    def _weighed(self) -> "DeviceGuess":
        return self if self.settled else self._replace(device=_weigh(self.served, self.features, self.sizes))


@lru_cache(maxsize=256)
def _weigh(names: tuple[str, ...], features: int, sizes: tuple[int, ...]) -> Device | None:
    """The device with the most evidence for it; None if there is none."""
    points = dict.fromkeys(DEVICES, 0)
    served = [device for device in DEVICES if device.name in names]
    for device in served:
        points[device] += SERVED
    bits = set(set_bits(features))
    fitting = [device for device in DEVICES if bits <= device.features.by_number.keys()]
    if len(bits) >= _FEWEST_BITS:
        for device in DEVICES:
            points[device] += 0 if device in fitting else OTHER_FEATURES
        if fitting:
            points[min(fitting, key=lambda device: len(device.features.bits))] += BEST_FEATURES
    elif len(served) > 1:
        # Between the devices of a program, few bits are enough.
        for device in served:
            points[device] += 0 if device in fitting else OTHER_FEATURES
    for size in sizes:
        candidates = config_candidates(size)
        for device in DEVICES:
            if device in candidates:
                points[device] += ONLY_SIZE if len(candidates) == 1 else SHARED_SIZE
            elif size not in config_ends(device):
                points[device] += NO_FIELD
    best = max(DEVICES, key=lambda device: points[device])
    return best if points[best] > 0 else None
