"""How data is moved, by device type: which rings it takes, and a request that changes nothing."""

from vudissect.check.devices import blk, console, fs, gpu, hid, net, rng, vsock
from vudissect.check.devices.path import DataPath
from vudissect.check.devices.small import SMALL_PATHS

_PATHS = (blk.PATH, console.PATH, fs.PATH, gpu.PATH, hid.PATH, net.PATH, rng.PATH, vsock.PATH, *SMALL_PATHS)
DATA_PATHS: dict[str, DataPath] = {path.device: path for path in _PATHS}
