"""The descriptors that ride on a message: counted, replaced, inspected and closed."""

import os
from array import array
from socket import SCM_RIGHTS, SOL_SOCKET

from vudissect.host.descriptor import Descriptor
from vudissect.host.inspect import inspect
from vudissect.wire.framing import Rights


def only_rights(ancillary: Rights) -> Rights:
    """Without what a socket may add that is not the sender's to pass on (credentials)."""
    return [item for item in ancillary if item[0] == SOL_SOCKET and item[1] == SCM_RIGHTS]


def rights_of(fds: list[int]) -> Rights:
    """The ancillary data that passes these descriptors on."""
    return [(SOL_SOCKET, SCM_RIGHTS, array("i", fds).tobytes())]


def descriptors(rights: Rights) -> list[int]:
    """The descriptors in ancillary data, in order."""
    numbers = array("i")
    for _, _, data in rights:
        numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return numbers.tolist()


def inspect_and_close(rights: Rights) -> tuple[Descriptor, ...]:
    """Find out what the descriptors are, and let go of them."""
    fds = descriptors(rights)
    described = tuple(inspect(fd) for fd in fds)
    for fd in fds:
        os.close(fd)
    return described
