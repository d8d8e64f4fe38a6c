"""File systems: requests as a kernel sends them, and as none does."""

from vudissect.check.model import Case

_FUSE = "virtio specification, File System Device, Device Operation: FUSE requests and replies"
_FRAMING = "virtio specification, Message Framing: no assumptions about the arrangement of descriptors"
_SURVIVES = "no text: a driver's fault must not end a process that serves others"
_SETTLES = "It is answered, the connection is closed, or the ring stops; the process lives."


def _case(case: str, title: str, expected: str, section: str, *steps: str) -> Case:
    talk = "\n".join(["* ready", "* request", *(f"* {step}" for step in steps)])
    return Case(case, title, expected, section, talk, needs=("data",), device="fs")


CASES = (
    _case(
        "FS-01",
        "LOOKUP of a name that does not exist",
        "It is answered with ENOENT.",
        _FUSE,
        "request: look up what is not there",
    ),
    _case(
        "FS-02",
        "GETATTR of the root",
        "It is answered: a directory.",
        _FUSE,
        "request: attributes of the root",
    ),
    _case(
        "FS-03",
        "an opcode that does not exist",
        "It is answered with ENOSYS.",
        _FUSE,
        "request: unknown opcode",
    ),
    _case(
        "FS-04",
        "a request that announces 1 MiB, and has 40 bytes",
        _SETTLES,
        _SURVIVES,
        *["offer: longer than it is", "settled"],
    ),
    _case(
        "FS-05",
        "half the header of a request",
        _SETTLES,
        _SURVIVES,
        *["offer: short header", "settled"],
    ),
    _case(
        "FS-06",
        "FORGET, which has no answer",
        "It is given back, and nothing is written.",
        f"{_FUSE}; Linux fs/fuse: FORGET has no reply",
        "request: forget",
    ),
    _case(
        "FS-07",
        "STATFS",
        "It is answered.",
        _FUSE,
        "request: statistics",
    ),
    _case(
        "FS-08",
        "8 bytes for an answer that has a header of 16",
        _SETTLES,
        _SURVIVES,
        *["offer: no room for the answer", "settled"],
    ),
    _case(
        "FS-09",
        "INIT, with 18 buffers of 8 bytes for the answer",
        "It is answered.",
        _FRAMING,
        "request: answer in pieces",
    ),
)
