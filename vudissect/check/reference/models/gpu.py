"""A GPU that shows nothing."""

import os
import struct
from uuid import UUID, uuid4

from vudissect.check.reference.channel import BackendChannel
from vudissect.check.reference.display import Display
from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.protocol.devices.media import GPU
from vudissect.protocol.features import GPU_FEATURES
from vudissect.protocol.purpose import Purpose
from vudissect.rings import gpu
from vudissect.rings.chain import Chain
from vudissect.rings.gpu import Command, Header, Response
from vudissect.rings.memory import GuestMemory, RingError

_CONFIG_SIZE = 16


class Gpu(Model):
    """Two rings, for commands and for the cursor. It keeps resources, but no pixels."""

    rings = 2
    features = GPU.features.mask("RESOURCE_UUID", "EDID")
    protocol_features = ("SHARED_OBJECT",)

    def __init__(self) -> None:
        super().__init__()
        self.config = bytearray(_CONFIG_SIZE)
        self._resources: dict[int, bytes] = {}
        self._display: Display | None = None
        self._has_edid = False

    def begin(self, channel: BackendChannel) -> None:
        """See `Model`."""
        super().begin(channel)
        self._resources.clear()
        if self._display is not None:
            self._display.close()
        self._display = None

    def open_display(self, fd: int, faults: Faults) -> None:
        """See `Model`."""
        if self._display is not None:
            self._display.close()
        self._display = Display(fd)
        self._has_edid = False
        if not faults.has("GPU-10"):
            offered = int.from_bytes(self._display.ask(Purpose.OFFER_GPU_FEATURES) or b"", "little")
            known = offered & GPU_FEATURES.mask("EDID")
            self._has_edid = bool(known)
            self._display.ask(Purpose.ACK_GPU_FEATURES, {"features": known})

    def shared_object(self, name: str) -> int:
        """See `Model`."""
        if UUID(name).bytes not in self._resources.values():
            return -1
        return os.memfd_create("pixels", os.MFD_CLOEXEC)

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        data = chain.read(memory)
        header = gpu.read_header(data)
        if header is None:
            faults.die_of("GPU-07")
            return 0
        if chain.room < gpu.HEADER_SIZE:
            faults.die_of("GPU-08")
            return 0
        if header.kind == Command.GET_DISPLAY_INFO:
            return chain.write(memory, self._displays(faults))
        if header.kind == Command.GET_EDID:
            return chain.write(memory, self._edid(data[gpu.HEADER_SIZE :], faults)[: chain.room])
        kind, name = self._do(header.kind, data[gpu.HEADER_SIZE :], memory, faults), b""
        if header.kind == Command.RESOURCE_ASSIGN_UUID and kind is Response.OK_UUID:
            name = self._resources[gpu.RESOURCE.unpack_from(data, gpu.HEADER_SIZE)[0]]
        kept = header.flags & gpu.FENCE and not faults.has("GPU-03")
        return chain.write(memory, (Header(kind, gpu.FENCE, header.fence) if kept else Header(kind)).pack() + name)

    def _do(self, command: int, body: bytes, memory: GuestMemory, faults: Faults) -> Response:
        try:
            match command:
                case Command.RESOURCE_CREATE_2D:
                    return self._create(faults, *gpu.CREATE_2D.unpack_from(body))
                case Command.RESOURCE_UNREF:
                    return self._release(faults, *gpu.RESOURCE.unpack_from(body))
                case Command.RESOURCE_ATTACH_BACKING:
                    return _attached(faults, memory, *gpu.BACKING.unpack_from(body))
                case Command.SET_SCANOUT:
                    return self._show(faults, *gpu.SCANOUT.unpack_from(body))
                case Command.RESOURCE_FLUSH:
                    return self._flush(faults, *gpu.FLUSH.unpack_from(body))
                case Command.RESOURCE_ASSIGN_UUID:
                    return self._assign(faults, *gpu.RESOURCE.unpack_from(body))
        except struct.error:
            return Response.INVALID_PARAMETER
        return Response.OK if faults.has("GPU-04") else Response.UNSPECIFIED

    def _create(self, faults: Faults, resource: int, format_: int, *_: int) -> Response:
        if format_ != gpu.BGRA:
            return Response.OK if faults.has("GPU-05") else Response.INVALID_PARAMETER
        if resource in self._resources:
            return Response.OK if faults.has("GPU-06") else Response.INVALID_RESOURCE
        if faults.has("GPU-01"):
            return Response.OUT_OF_MEMORY
        self._resources[resource] = b""
        return Response.OK

    def _release(self, faults: Faults, resource: int) -> Response:
        if resource not in self._resources:
            return Response.OK if faults.has("GPU-02") else Response.INVALID_RESOURCE
        name = self._resources.pop(resource)
        if name and not faults.has("SHO-04"):
            self._report(Purpose.REMOVE_OBJECT, name)
        return Response.OK

    def _assign(self, faults: Faults, resource: int) -> Response:
        if resource not in self._resources:
            return Response.INVALID_RESOURCE
        self._resources[resource] = name = uuid4().bytes
        if not faults.has("SHO-01"):
            self._report(Purpose.ADD_OBJECT, name)
        return Response.OK_UUID

    def _displays(self, faults: Faults) -> bytes:
        answer = self._display.ask(Purpose.SHOW_DISPLAYS) if self._display is not None else None
        if answer is None:
            faults.die_of("GPU-14")
            faults.die_of("GPU-15")
            return Header(Response.UNSPECIFIED).pack()
        known = answer[gpu.HEADER_SIZE :] if not faults.has("GPU-11") else bytes(gpu.DISPLAYS_SIZE - gpu.HEADER_SIZE)
        return Header(Response.OK_DISPLAYS).pack() + known

    def _edid(self, body: bytes, faults: Faults) -> bytes:
        answer = None
        if self._display is not None and self._has_edid and not faults.has("GPU-16"):
            scanout = int.from_bytes(body[:4], "little")
            answer = self._display.ask(Purpose.DESCRIBE_DISPLAY, {"scanout": scanout})
        if answer is None:
            return Header(Response.UNSPECIFIED).pack()
        return Header(Response.OK_EDID).pack() + answer[gpu.HEADER_SIZE :]

    def _show(self, faults: Faults, *place: int) -> Response:
        _, _, width, height, scanout, _ = place
        if self._display is not None and not faults.has("GPU-12"):
            self._display.ask(Purpose.SET_SCANOUT, {"scanout": scanout, "width": width, "height": height})
        return Response.OK

    def _flush(self, faults: Faults, *place: int) -> Response:
        x, y, width, height, _ = place
        fields = {"x": x, "y": y, "width": width, "height": height, "pixels": bytes(4 * width * height).hex()}
        if self._display is not None:
            self._display.ask(Purpose.DRAW, fields, cut=int(faults.has("GPU-13")))
        return Response.OK

    def _report(self, purpose: Purpose, name: bytes) -> None:
        if self.channel is not None and self.channel.fd >= 0:
            self.channel.ask(purpose, {"uuid": str(UUID(bytes=name))})


def _attached(faults: Faults, memory: GuestMemory, resource: int, pieces: int, address: int, length: int) -> Response:
    if faults.has("GPU-09"):
        return Response.OK
    try:
        memory.at_guest(address, length)
    except RingError:
        return Response.UNSPECIFIED
    return Response.OK
