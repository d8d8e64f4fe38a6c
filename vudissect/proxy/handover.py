"""What happens to the sockets of a started command when vuproxy is gone and the command is not.

A small process that outlives vuproxy puts a link in the place of each socket, which leads to the peer itself: a program
that connects again is served without a recorder.
"""

import os
from collections.abc import Sequence

_SHELL = "/bin/sh"
# It waits for a line, which means that nobody needs the links. Signals to the group of vuproxy are not for it.
_SCRIPT = """
read -r _ && exit
while [ $# -gt 1 ]; do
    ln -sfn -- "$2" "$1"
    shift 2
done
"""


class Handover:
    """A running process that makes `links`, each a path and where it leads, when this process ends in any way."""

    def __init__(self, links: Sequence[tuple[str, str]]) -> None:
        """Raises `OSError` if it cannot be started."""
        waiting, self._end = os.pipe()
        words = [word for link in links for word in link]
        try:
            self._pid = os.posix_spawn(
                _SHELL,
                [_SHELL, "-c", _SCRIPT, "vuproxy-handover", *words],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, waiting, 0)],
                setsid=True,
            )
        finally:
            os.close(waiting)

    def finish(self, *, is_needed: bool) -> None:
        """End it; `is_needed`: after it has made the links."""
        if not is_needed:
            os.write(self._end, b"\n")
        os.close(self._end)
        os.waitpid(self._pid, 0)
