"""Reading and writing the configuration space."""

from vudissect.check.reference.core import Core, Fds, Handler
from vudissect.check.reference.fault import RefusedError
from vudissect.protocol.purpose import Purpose
from vudissect.wire.fields import Fields

_WORD = 1 << 32
_MIGRATION = 1


class ConfigSpace:
    """That of the model."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._faults = core.faults

    @property
    def handlers(self) -> dict[Purpose, Handler]:
        """By what a message is for."""
        return {Purpose.READ_CONFIG: self._get, Purpose.WRITE_CONFIG: self._set}

    def _get(self, fields: Fields, _: Fds) -> Fields:
        faults, config = self._faults, self._core.model.config
        if not self._core.agreed("CONFIG"):
            faults.die_of("CFG-06")
        offset, size = fields["offset"], fields["size"]
        if not size:
            faults.die_of("CFG-09")
        if size == 256 and faults.has("CFG-02"):
            raise RefusedError("more than there is")
        if self._core.is_running and faults.has("CFG-16"):
            raise RefusedError("not while rings run")
        if faults.has("CFG-10"):
            size, offset = (offset + size) % _WORD, 0
        if offset + size > len(config) and not faults.has("CFG-03" if offset else "CFG-05"):
            return {}
        start = 0 if faults.has("CFG-04") else offset
        contents = bytes(config[start : start + size]).ljust(size, b"\0")
        if faults.has("CFG-11") and size == 1:
            contents = bytes([contents[0] ^ 1])
        claimed = offset + 4 if faults.has("CFG-01") else fields["offset"]
        return {"offset": claimed, "size": size, "flags": fields["flags"], "contents": contents}

    def _set(self, fields: Fields, _: Fds) -> None:
        refuse, model = self._faults.refuse, self._core.model
        contents, offset, flags = bytes.fromhex(fields["contents"]), fields["offset"], fields["flags"]
        if len(contents) == 1 and not offset:
            self._faults.die_of("CFG-12")
        if offset + len(contents) > len(model.config):
            refuse("CFG-17", True, "beyond the end")
            return
        refuse("CFG-14", flags > _MIGRATION, "flags that do not exist")
        writable = model.writable(offset, len(contents))
        refuse("CFG-07", not writable and flags != _MIGRATION, "a read-only field")
        if flags == _MIGRATION and self._faults.has("CFG-13"):
            raise RefusedError("only the driver's fields can be written")
        if writable and self._faults.has("CFG-08"):
            raise RefusedError("writeback cannot be changed")
        if writable or flags == _MIGRATION:
            model.config[offset : offset + len(contents)] = contents
            model.configured(self._faults)
