"""How data is moved, by device type: which rings it takes, and a request that changes nothing."""

from vudissect.check.devices import blk, fs, net, rng
from vudissect.check.devices.path import DataPath

DATA_PATHS: dict[str, DataPath] = {path.device: path for path in (blk.PATH, fs.PATH, net.PATH, rng.PATH)}
