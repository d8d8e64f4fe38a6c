"""What became of a back-end: its process, its descriptors, and whether it serves the next connection."""

import time
from typing import NamedTuple

from vudissect.check.outcome import Fate, Life
from vudissect.check.process import busy, settled_descriptors
from vudissect.check.program import Ended, Program
from vudissect.check.stage import DeviationError, Stage
from vudissect.protocol.model import Device

BUSY = 0.8
"""From when on a process counts as busy, of 0 to 1."""

_DEATH_WITHIN = 2.0
_END_WITHIN = 0.5
_SETTLE = 0.05


class Watch(NamedTuple):
    """Looks at a back-end after our side has closed its connections.

    `reconnects`: it serves one connection after another. `idle` is how busy it is while it has nothing to do.
    """

    backend: Program
    device: Device | None
    timeout: float
    reconnects: bool
    idle: float

    def fate(self, connection: str, before: int, *, silent: bool) -> Fate:
        """What became of it; `connection` is how that ended, `before` how many descriptors it had.

        `silent`: it did not answer what it should have, and is not expected to end by itself.
        """
        backend = self.backend
        if not self.reconnects:
            ended = self._wait_for_end(_END_WITHIN)
            return Fate(ended.life, ended.number, connection)
        settled_descriptors(backend.pid, before, backend.clock)
        served = self.serves_another()
        ended = backend.life()
        if not served:
            ended = self._wait_for_end(_SETTLE if silent else _DEATH_WITHIN)
        if ended.life is Life.ALIVE and (not served or silent):
            spins = busy(backend.pid, backend.clock) > BUSY > self.idle
            ended = Ended(Life.SPINNING if spins else Life.HUNG if not served else Life.ALIVE)
        after = settled_descriptors(backend.pid, before, backend.clock)
        return Fate(ended.life, ended.number, connection, served, (before, after))

    def serves_another(self) -> bool:
        """Whether a new connection is made and answered."""
        stage = Stage(self.backend, self.device, self.timeout)
        try:
            stage.connect()
            stage.reply_to(stage.barrier())
        except (DeviationError, OSError):
            return False
        finally:
            stage.close()
        return True

    def _wait_for_end(self, seconds: float) -> Ended:
        deadline = time.monotonic() + seconds
        while (ended := self.backend.life()).life is Life.ALIVE and time.monotonic() < deadline:
            self.backend.clock.sleep(0.002)
        return ended
