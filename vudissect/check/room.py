"""What verbs work with: the stage, and on it memory, rings and the data path of the device."""

from dataclasses import dataclass, field

from vudissect.check.devices import DATA_PATHS
from vudissect.check.devices.path import DataPath
from vudissect.check.discovery import Discovered
from vudissect.check.memory import RAM, SIZE, Arena
from vudissect.check.program import Program
from vudissect.check.queue import Queue
from vudissect.check.stage import Stage
from vudissect.protocol.features import VIRTIO_FEATURES

_PACKED = VIRTIO_FEATURES.mask("RING_PACKED")


@dataclass(slots=True)
class Room:
    """A case, while it is played."""

    stage: Stage
    backend: Program
    discovered: Discovered
    queues: dict[int, Queue] = field(default_factory=dict)
    counted: int = -1
    session: int = 1
    _described: bool = False
    _arena: Arena | None = None

    @property
    def path(self) -> DataPath | None:
        """How data is moved; None for a device type that the suite cannot use."""
        device = self.discovered.device
        return DATA_PATHS.get(device.name) if device is not None else None

    @property
    def ring(self) -> int:
        """The ring that requests go to."""
        return self.path.ring if self.path is not None else 0

    @property
    def values(self) -> dict[str, object]:
        """What a talk may have in braces."""
        config = self.discovered.config
        half = len(config) // 2
        queue = self.queues.get(self.ring)
        return {
            "ring": self.ring,
            "call": queue.call_name if queue is not None else "",
            "config": len(config) or 8,
            "half": half,
            "rest": len(config) - half or 8,
            "tail": config[half:].hex(),
        }

    @property
    def ram(self) -> str:
        """The memory, as in a talk: described where it first appears."""
        first, self._described = not self._described, True
        return f"mem#ram (memfd ram {SIZE >> 20}M)" if first else "mem#ram"

    @property
    def arena(self) -> Arena:
        """The memory `mem#ram`, mapped here."""
        if self._arena is None:
            self._arena = Arena(self.stage.objects.map(RAM))
        return self._arena

    def queue(self, index: int | None = None) -> Queue:
        """A ring, made when it is first asked for."""
        index = self.ring if index is None else index
        if index not in self.queues:
            packed = self.stage.state().features.has(_PACKED)
            self.queues[index] = Queue(self.stage, self.arena, index, self.session, is_packed=packed)
        return self.queues[index]

    def connect(self, connection: int = 1) -> None:
        """Another connection; `DeviationError`."""
        self.stage.connect(connection)

    def forget_rings(self) -> None:
        """Rings and memory of the connection before are gone."""
        self.queues.clear()
        self._arena = None
        self.session += 1

    def barrier(self) -> None:
        """Ask something that every back-end answers, and wait for it; `DeviationError`."""
        self.stage.reply_to(self.stage.barrier())
