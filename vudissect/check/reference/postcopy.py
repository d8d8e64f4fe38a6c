"""Postcopy: memory messages are answered with our addresses. Page faults are left to the kernel."""

from vudissect.check.reference.core import Core, Fds, Handler
from vudissect.check.reference.fault import IgnoredError
from vudissect.conversation.descriptors import of_kind
from vudissect.host.descriptor import DescriptorKind
from vudissect.host.make import make
from vudissect.protocol.purpose import Purpose
from vudissect.wire.fields import Fields

_OUR_ADDRESS = 0x7A00_0000_0000


class Postcopy:
    """Where an exchange of addresses is."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._faults = core.faults
        self._advised = False
        self.listening = False
        self._awaits_end = False

    @property
    def handlers(self) -> dict[Purpose, Handler]:
        """By what a message is for."""
        return {
            Purpose.ADVISE_POSTCOPY: self._advise,
            Purpose.START_POSTCOPY: self._listen,
            Purpose.END_POSTCOPY: self._end,
        }

    def _advise(self, _: Fields, __: Fds) -> Fields:
        self._advised = True
        if not self._faults.has("PCP-01"):
            self._core.reply_descriptor = make(of_kind(DescriptorKind.USERFAULTFD, "faults")).fd
        return {}

    def _listen(self, _: Fields, __: Fds) -> None:
        self._faults.refuse("PCP-05", not self._advised, "not advised")
        self.listening = True

    def _end(self, _: Fields, __: Fds) -> Fields:
        self.listening = self._faults.has("PCP-07")
        if self._faults.has("PCP-04"):
            raise IgnoredError
        return {"result": 0}

    def ends_exchange(self, fds: Fds) -> bool:
        """Whether a memory message is the empty one after an exchange."""
        ends, self._awaits_end = self._awaits_end and not fds, False
        return ends and not self._faults.has("PCP-03", "PCP-06")

    def answer(self, fields: Fields) -> Fields | None:
        """What a memory message is answered with: None outside of postcopy."""
        if not self.listening:
            return None
        self._awaits_end = True
        if "regions" in fields:
            return {**fields, "regions": [self._moved(region) for region in fields["regions"]]}
        return self._moved(fields)

    def _moved(self, region: Fields) -> Fields:
        kept = self._faults.has("PCP-02")
        return {**region, "user_addr": region["user_addr"] if kept else _OUR_ADDRESS + region["guest_addr"]}
