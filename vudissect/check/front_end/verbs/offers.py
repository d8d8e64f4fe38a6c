"""What is offered from the next connection on, and what becomes of it."""

from collections.abc import Iterable

from vudissect.check.front_end.scene import Scene
from vudissect.check.front_end.verbs.book import BOOK, NotHereError
from vudissect.check.model import Behaviour
from vudissect.check.stage import DeviationError
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES

_ALL = (1 << 64) - 1
_CAPACITY = slice(0, 8)


@BOOK.verb(r"offer all feature bits", "GET_FEATURES will be answered with all 64 bits")
def all_features(scene: Scene) -> None:
    """There are some that no back-end has."""
    scene.offer.features = _ALL


@BOOK.verb(r"offer all protocol feature bits", "GET_PROTOCOL_FEATURES will be answered with all 64 bits")
def all_protocol_features(scene: Scene) -> None:
    """Most of them have no meaning yet."""
    scene.offer.protocol_features = _ALL


@BOOK.verb(
    r"offer(?: also ([A-Z0-9_ ]+?))?(?: without ([A-Z0-9_ ]+))?",
    "some features more, some less: virtio or protocol features",
)
def offer(scene: Scene, more: str | None, less: str | None) -> None:
    """The names do not overlap, but for PROTOCOL_FEATURES, which is a virtio feature."""
    here = scene.offer
    for names, sign in (((more or "").split(), 1), ((less or "").split(), 0)):
        protocol_names = [name for name in names if name in PROTOCOL_FEATURES.numbers]
        virtio = VIRTIO_FEATURES.mask(*(name for name in names if name not in protocol_names))
        protocol = PROTOCOL_FEATURES.mask(*protocol_names)
        here.features = here.features | virtio if sign else here.features & ~virtio
        here.protocol_features = here.protocol_features | protocol if sign else here.protocol_features & ~protocol


@BOOK.verb(r"offer (\d+) queues", "GET_QUEUE_NUM will be answered with this")
def queues(scene: Scene, count: str) -> None:
    """There are as many as before."""
    scene.offer.queues = int(count)


@BOOK.verb(r"offer (\d+) memory slots", "GET_MAX_MEM_SLOTS will be answered with this")
def slots(scene: Scene, count: str) -> None:
    """All regions are accepted."""
    scene.offer.slots = int(count)


@BOOK.verb(r"offer a capacity of 0", "the configuration space begins with 8 bytes of zeroes: a disk without sectors")
def no_capacity(scene: Scene) -> None:
    """What hot-removed disks report."""
    scene.offer.config[_CAPACITY] = bytes(8)


@BOOK.verb(r"it acknowledges (\w+)", "the front-end has acknowledged this protocol feature; else it cannot be checked")
def acknowledges(scene: Scene, name: str) -> None:
    """A front-end that does not know it has nothing to do with it."""
    if not _acknowledged(scene) & PROTOCOL_FEATURES.mask(name):
        raise NotHereError(f"the front-end does not acknowledge {name}")


@BOOK.verb(r"(\w+) is not acknowledged", "the front-end has not acknowledged this protocol feature")
def not_acknowledged(scene: Scene, name: str) -> None:
    """It was offered."""
    if _acknowledged(scene) & PROTOCOL_FEATURES.mask(name):
        raise DeviationError(Behaviour.FAILED, f"{name} is acknowledged")


@BOOK.verb(r"what it does not know is not acknowledged", "the front-end has acknowledged no feature bit without a name")
def nothing_unknown(scene: Scene) -> None:
    """It cannot do what nobody has defined."""
    virtio = {*VIRTIO_FEATURES.numbers.values(), *scene.device.features.numbers.values()}
    unknown = _without(scene.agreed.features.acked or 0, virtio)
    unknown_protocol = _without(_acknowledged(scene), PROTOCOL_FEATURES.numbers.values())
    if unknown:
        raise DeviationError(Behaviour.FAILED, f"feature bits {unknown:#x} are acknowledged, which have no meaning")
    if unknown_protocol:
        text = f"protocol feature bits {unknown_protocol:#x} are acknowledged, which have no meaning"
        raise DeviationError(Behaviour.FAILED, text)


def _acknowledged(scene: Scene) -> int:
    return scene.agreed.protocol_features.acked or 0


def _without(word: int, bits: Iterable[int]) -> int:
    for bit in bits:
        word &= ~(1 << bit)
    return word
