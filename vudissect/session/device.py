"""Which virtio device the two are talking about, as far as their messages tell."""

from vudissect.spec.devices import DEVICES, config_candidates, device_by_name
from vudissect.spec.model import Device, set_bits

# Bits that belong to the device type; the others mean the same for all devices.
_DEVICE_BITS = sum(1 << number for number in (*range(24), *range(50, 64)))
# Fewer bits than this fit several device types.
_FEWEST_BITS = 3

# Programs that serve one device type only, as the kernel names them (15 characters).
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


class DeviceGuess:
    """Collects evidence; the strongest seen decides: told by the user, program, configuration size, feature bits."""

    def __init__(self, told: Device | None = None) -> None:
        self.device = told
        self._settled = told is not None

    def see_program(self, command: str) -> None:
        """The command name of a peer, as in /proc/PID/comm."""
        if not self._settled and command in PROGRAMS:
            self.device = device_by_name(PROGRAMS[command])
            self._settled = True

    def see_config(self, size: int) -> None:
        """The size in bytes of a configuration space that was read as a whole."""
        candidates = config_candidates(size)
        if not self._settled and len(candidates) == 1:
            self.device = candidates[0]
            self._settled = True

    def see_features(self, offered: int) -> None:
        """The features that the back-end offers: the device type with the fewest bits that has them all."""
        bits = set(set_bits(offered & _DEVICE_BITS))
        if self._settled or len(bits) < _FEWEST_BITS:
            return
        fitting = [device for device in DEVICES if bits <= device.features.by_number.keys()]
        if fitting:
            self.device = min(fitting, key=lambda device: len(device.features.bits))
