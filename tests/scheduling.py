"""How tests are distributed among three or more workers."""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_PEERS = "tests/peers"


class PeersFirst(LoadScopeScheduling):
    """As `--dist loadscope`, but those with real peers, which want a core, come first and one after the other.

    The other workers have the rest, much of which waits.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _PEERS if nodeid.startswith(f"{_PEERS}/") else super()._split_scope(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if _PEERS in self.workqueue:
            self.workqueue.move_to_end(_PEERS, last=False)
        super()._assign_work_unit(node)
