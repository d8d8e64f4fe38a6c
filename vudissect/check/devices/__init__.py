"""How data is moved, by device type: which rings it takes, and a request that changes nothing."""

from vudissect.check.devices import blk, console, fs, gpu, hid, net, rng, vsock
from vudissect.check.devices.path import DataPath

_PATHS = (blk.PATH, console.PATH, fs.PATH, gpu.PATH, hid.PATH, net.PATH, rng.PATH, vsock.PATH)
DATA_PATHS: dict[str, DataPath] = {path.device: path for path in _PATHS}
