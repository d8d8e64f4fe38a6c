"""The virtio device type of a connection, guessed from its messages."""

from typing import NamedTuple

from vudissect.protocol.bits import set_bits
from vudissect.protocol.devices import DEVICES, config_candidates, device_by_name
from vudissect.protocol.model import Device

# Bits that belong to the device type; the others mean the same for all devices.
_DEVICE_BITS = sum(1 << number for number in (*range(24), *range(50, 64)))
# Fewer bits than this are ambiguous.
_FEWEST_BITS = 3

# Programs that serve a single device type, by their names in the kernel (15 characters).
PROGRAMS = {
    "virtiofsd": "fs",
    "passt": "net",
    "passt.avx2": "net",
    "ovs-vswitchd": "net",
    "vhost-user-gpu": "gpu",
    "vhost-user-inpu": "input",
    "vhost-device-ca": "can",
    "vhost-device-co": "console",
    "vhost-device-i2": "i2c",
    "vhost-device-in": "input",
    "vhost-device-rn": "rng",
    "vhost-device-so": "sound",
    "vhost-device-sp": "spi",
    "vhost-device-vs": "vsock",
}


class DeviceGuess(NamedTuple):
    """The device, and whether it is settled: named by the user, or by strong evidence.

    The strongest evidence wins: the program, the size of the configuration space, the feature bits.
    """

    device: Device | None = None
    settled: bool = False

    def after_program(self, command: str) -> "DeviceGuess":
        """After the command name of a peer, as in /proc/PID/comm, is known."""
        if not self.settled and command in PROGRAMS:
            return DeviceGuess(device_by_name(PROGRAMS[command]), True)
        return self

    def after_config(self, size: int) -> "DeviceGuess":
        """After a whole configuration space of this size in bytes was read."""
        candidates = config_candidates(size)
        if not self.settled and len(candidates) == 1:
            return DeviceGuess(candidates[0], True)
        return self

    def after_features(self, offered: int) -> "DeviceGuess":
        """After the back-end has offered features: the device type with the fewest bits that has them all."""
        bits = set(set_bits(offered & _DEVICE_BITS))
        if self.settled or len(bits) < _FEWEST_BITS:
            return self
        fitting = [device for device in DEVICES if bits <= device.features.by_number.keys()]
        return DeviceGuess(min(fitting, key=lambda device: len(device.features.bits))) if fitting else self
