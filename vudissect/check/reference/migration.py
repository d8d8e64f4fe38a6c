"""What a migration and a restart need: dirty log, in-flight memory, device state."""

import mmap
import os

from vudissect.check.reference.core import Core, Fds, Handler
from vudissect.check.reference.fault import Faults, RefusedError
from vudissect.host.background import in_background
from vudissect.protocol.purpose import Purpose
from vudissect.rings import inflight, packed_inflight
from vudissect.wire.fields import Fields

_LARGE = 1 << 30
_ENTRIES = 64
_STATE = b"vudissect reference back-end"
_NO_DESCRIPTOR = 1 << 8
_LOAD = 1
_PATIENCE = 5.0


def _mapped(fd: int) -> memoryview:
    """All of a file; `RefusedError` for a descriptor of which nothing can be mapped."""
    try:
        return memoryview(mmap.mmap(fd, 0))
    except (OSError, ValueError) as error:
        raise RefusedError(str(error)) from None


class Migration:
    """Memory and pipes that the front-end passes."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._faults = core.faults
        self._transfer: Transfer | None = None

    @property
    def handlers(self) -> dict[Purpose, Handler]:
        """By what a message is for."""
        return {
            Purpose.SET_LOG: self._set_log,
            Purpose.OFFER_INFLIGHT: self._get_inflight,
            Purpose.SET_INFLIGHT: self._set_inflight,
            Purpose.START_STATE_TRANSFER: self._start_state,
            Purpose.CHECK_STATE_TRANSFER: self._check_state,
        }

    def _set_log(self, fields: Fields, fds: Fds) -> Fields:
        refuse, size = self._faults.refuse, fields["mmap_size"]
        refuse("LOG-06", not fds, "no log")
        too_large = bool(fds) and size + fields["mmap_offset"] > os.fstat(fds[0]).st_size
        refuse("LOG-07", too_large, "more than there is")
        if fds and not too_large:
            self._core.log.use(_mapped(fds[0])[fields["mmap_offset"] :][:size])
        return {"value": 0}

    def _get_inflight(self, fields: Fields, _: Fds) -> Fields:
        size = fields["num_queues"] * self._stride(fields["queue_size"])
        if not size:
            self._faults.die_of("INF-04")
            return {**fields, "mmap_size": 0, "mmap_offset": 0}
        if size > _LARGE:
            self._faults.die_of("INF-05")
        if not self._faults.has("INF-01"):
            self._core.reply_descriptor = os.memfd_create("inflight", os.MFD_CLOEXEC)
            os.truncate(self._core.reply_descriptor, size)
            if self._faults.has("INF-06"):
                os.pwrite(self._core.reply_descriptor, b"\xff" * _ENTRIES, 0)
        return {**fields, "mmap_size": size, "mmap_offset": 0}

    def _set_inflight(self, fields: Fields, fds: Fds) -> None:
        refuse, start, size = self._faults.refuse, fields["mmap_offset"], fields["mmap_size"]
        self._faults.die_of("INF-03")
        refuse("INF-10", not fds, "no memory")
        too_large = bool(fds) and start + size > os.fstat(fds[0]).st_size
        refuse("INF-09", too_large, "more than there is")
        if not fds or too_large:
            return
        contents = _mapped(fds[0])[start : start + size]
        stride = self._stride(fields["queue_size"])
        for ring in self._core.rings[: min(fields["num_queues"], size // stride)]:
            ring.inflight = contents[ring.index * stride :][:stride], fields["queue_size"]

    def _stride(self, entries: int) -> int:
        """How many bytes a ring takes."""
        is_packed = self._core.has("RING_PACKED")
        return packed_inflight.region_size(entries) if is_packed else inflight.region_size(entries)

    def _start_state(self, fields: Fields, fds: Fds) -> Fields:
        faults = self._faults
        if (
            (self._core.is_running and not faults.has("DST-02"))
            or (fields["direction"] > _LOAD and not faults.has("DST-05"))
            or (fields["phase"] and not faults.has("DST-06"))
        ):
            return {"value": 1 | _NO_DESCRIPTOR}
        self._transfer = Transfer(os.dup(fds[0]), faults, loads=fields["direction"] == _LOAD)
        return {"value": _NO_DESCRIPTOR}

    def _check_state(self, _: Fields, __: Fds) -> Fields:
        transfer, self._transfer = self._transfer, None
        if transfer is None:
            self._faults.die_of("DST-08")
            return {"result": 1}
        return {"result": int(not transfer.is_good() or self._faults.has("DST-01"))}


class Transfer:
    """A state on its way, in a thread: the pipe may be slow."""

    def __init__(self, fd: int, faults: Faults, *, loads: bool) -> None:
        self._faults = faults
        self._good = False
        self._thread = in_background(self._load if loads else self._save, fd)

    def is_good(self) -> bool:
        """Whether all of it has come through; waits for the end, but not for ever."""
        self._thread.join(_PATIENCE)
        return self._good

    def _save(self, fd: int) -> None:
        with os.fdopen(fd, "wb", buffering=0) as pipe:
            try:
                pipe.write(_STATE)
                self._good = True
            except BrokenPipeError:
                self._faults.die_of("DST-07")

    def _load(self, fd: int) -> None:
        with os.fdopen(fd, "rb") as pipe:
            state = pipe.read()
        self._good = (state == _STATE and not self._faults.has("DST-03")) or self._faults.has("DST-04")
