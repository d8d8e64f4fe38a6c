"""System V shared memory, which a program that is started attaches by its number."""

import ctypes
import os
from weakref import finalize

_PRIVATE, _REMOVE, _MODE = 0, 0, 0o600


class SharedSegment:
    """Memory of `size` bytes; Linux frees it when nobody has it attached any more. `OSError` if there is none."""

    def __init__(self, size: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.shmat.restype = ctypes.c_void_p
        libc.shmdt.argtypes = [ctypes.c_void_p]
        self.id: int = libc.shmget(_PRIVATE, ctypes.c_size_t(size), _MODE)
        if self.id < 0:
            raise _error()
        address = libc.shmat(self.id, None, 0)
        # On Linux it can still be attached, and nothing is left of it whatever becomes of us.
        libc.shmctl(self.id, _REMOVE, None)
        if address in (None, ctypes.c_void_p(-1).value):
            raise _error()
        self.contents = memoryview((ctypes.c_char * size).from_address(address)).cast("B")
        finalize(self, libc.shmdt, address)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
