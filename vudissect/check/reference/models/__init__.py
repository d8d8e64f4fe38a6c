"""Device types of the reference: configuration space, features, and what they do with requests."""

from collections.abc import Callable
from functools import partial

from vudissect.check.reference.models.blk import Disk
from vudissect.check.reference.models.console import Console
from vudissect.check.reference.models.crypto import Crypto
from vudissect.check.reference.models.fs import FileSystem
from vudissect.check.reference.models.gpu import Gpu
from vudissect.check.reference.models.input import Keyboard
from vudissect.check.reference.models.model import Model
from vudissect.check.reference.models.net import NetworkCard
from vudissect.check.reference.models.rng import Entropy
from vudissect.check.reference.models.small import SMALL, SmallDevice
from vudissect.check.reference.models.vsock import Sockets

MODELS: dict[str, Callable[[], Model]] = {
    "blk": Disk,
    "console": Console,
    "crypto": Crypto,
    "fs": FileSystem,
    "gpu": Gpu,
    "input": Keyboard,
    "net": NetworkCard,
    "rng": Entropy,
    "vsock": Sockets,
    **{name: partial(SmallDevice, name) for name in SMALL},
}
