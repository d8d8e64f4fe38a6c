"""What verbs work with: the stage, and on it memory, rings and the data path of the device."""

from dataclasses import dataclass, field
from uuid import UUID

from vudissect.check.devices import DATA_PATHS
from vudissect.check.devices.path import DataPath
from vudissect.check.discovery import Discovered
from vudissect.check.memory import RAM, Arena
from vudissect.check.memory import SIZE as RAM_SIZE
from vudissect.check.program import Program
from vudissect.check.queue import SIZE, Queue
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
    kept: bytes = b""
    features: int = 0
    ring_size: int = SIZE
    inflight: dict[str, int] = field(default_factory=dict)
    session: int = 1
    used: tuple[int, ...] = ()
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
    def other(self) -> int:
        """Another ring for requests; the only one where there is no other."""
        return self.path.other if self.path is not None and self.path.other is not None else self.ring

    @property
    def rings(self) -> tuple[int, ...]:
        """The rings that are started."""
        return self.used or (self.path.rings if self.path is not None else (0,))

    @property
    def values(self) -> dict[str, object]:
        """What a talk may have in braces."""
        config = self.discovered.config
        half = len(config) // 2
        queue = self.queues.get(self.ring)
        return {
            "ring": self.ring,
            "other": self.other,
            "last": len(config) - 1 if config else 7,
            "last_byte": config[-1:].hex() or "00",
            "first_byte": config[:1].hex() or "00",
            "second_byte": config[1:2].hex() or "00",
            "capacity": config[:8].hex(),
            "call": queue.call_name if queue is not None else "",
            "config": len(config) or 8,
            "features": hex(self.features),
            "half": half,
            "log": "mem#log (memfd log 4K)",
            "rest": len(config) - half or 8,
            "tail": config[half:].hex(),
            "uuid": str(UUID(int=self._arena.remembered.get("uuid", 0) if self._arena is not None else 0)),
        }

    @property
    def ram(self) -> str:
        """The memory, as in a talk: described where it first appears."""
        first, self._described = not self._described, True
        return f"mem#ram (memfd ram {RAM_SIZE >> 20}M)" if first else "mem#ram"

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
            self.queues[index] = Queue(
                self.stage, self.arena, index, self.session, size=self.ring_size, is_packed=packed
            )
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
