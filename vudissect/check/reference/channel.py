"""The channel on which the back-end asks the front-end."""

import os
from contextlib import suppress

from vudissect.check.reference.fault import Faults
from vudissect.protocol.back_end import MESSAGES
from vudissect.protocol.payloads import IOTLB, IOTLB_MISS
from vudissect.protocol.purpose import Purpose
from vudissect.wire.codec import layout_codec
from vudissect.wire.fields import from_fields
from vudissect.wire.header import VERSION, struct_of

_MOST = 4096
_READ = 1
_HEADER = struct_of("III", "little")
_CODEC = layout_codec(IOTLB, "little")
_MISS = next(row.id for row in MESSAGES if row.purpose is Purpose.UPDATE_IOTLB)


class BackendChannel:
    """Our end of it, -1 while there is none. Only misses are reported on it, and what comes is dropped."""

    def __init__(self, faults: Faults) -> None:
        self.fd = -1
        self._faults = faults

    def replace(self, fd: int) -> None:
        """Use another socket, and close the one before."""
        if self.fd >= 0 and not self._faults.has("CHN-01"):
            os.close(self.fd)
        self.fd = fd

    def read(self) -> None:
        """There is something, or the front-end has closed its end."""
        try:
            data = os.read(self.fd, _MOST)
        except OSError:
            data = b""
        if data:
            self._faults.die_of("CHN-03")
            return
        self._faults.die_of("CHN-02")
        self.close()

    def report_miss(self, iova: int) -> None:
        """Ask for the entry of an address. Nobody is asked where there is no channel."""
        if self.fd < 0 or self._faults.has("IOT-02"):
            return
        payload = _CODEC.encode(from_fields(IOTLB, {"iova": iova, "perm": _READ, "type": IOTLB_MISS}))
        with suppress(OSError):
            os.write(self.fd, _HEADER.pack(_MISS, VERSION, len(payload)) + payload)

    def close(self) -> None:
        """Close it."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1
