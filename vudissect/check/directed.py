"""A program that does what the suite wants besides serving: the reference, which listens to it at `{control}`."""

import socket

from vudissect.check.program import Started


class Directed(Started):
    """Started with `{control}` in its command, the path of its socket for that."""

    def direct(self, word: str) -> None:
        """Say one of the words of `vudissect.check.reference.control`; `OSError` if it does not listen."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as control:
            control.sendto(word.encode(), str(self._folder / "direct"))

    def _filled_in(self) -> tuple[list[str], tuple[int, ...]]:
        command, fds = super()._filled_in()
        return [word.replace("{control}", str(self._folder / "direct")) for word in command], fds
