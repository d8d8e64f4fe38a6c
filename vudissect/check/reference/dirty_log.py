"""The log of pages that were written to, for a migration."""

from vudissect.check.reference.fault import Faults, die

_PAGE = 4096


class DirtyLog:
    """One bit a page; nothing is marked while it is off, or beyond its end."""

    def __init__(self, faults: Faults) -> None:
        self.on = False
        self._faults = faults
        self._bits = memoryview(b"")

    def use(self, bits: memoryview) -> None:
        """Mark here from now on."""
        self._bits = bits

    def mark(self, address: int, length: int) -> None:
        """These bytes of guest memory were written to."""
        if not (self.on or self._faults.has("LOG-05")) or not length:
            return
        for page in range(address // _PAGE, (address + length - 1) // _PAGE + 1):
            byte, bit = divmod(page, 8)
            if byte < len(self._bits):
                self._bits[byte] |= 1 << bit
            elif self._bits and self._faults.has("LOG-08"):
                die()
