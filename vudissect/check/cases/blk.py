"""Disks: what a driver asks of them, and what no driver asks. What a case writes, it puts back."""

from vudissect.check.model import Behaviour, Case, Verdict

_BLOCK = "virtio specification, Block Device"
_OPERATION = f"{_BLOCK}, Device Operation"
_FRAMING = "virtio specification, Message Framing: no assumptions about the arrangement of descriptors"
_SURVIVES = "no text: a driver's fault must not end a process that serves others"
_SETTLES = "It is answered, the connection is closed, or the ring stops; the process lives."


def _case(
    case: str,
    title: str,
    expected: str,
    section: str,
    *steps: str,
    needs: tuple[str, ...] = (),
    otherwise: Verdict = Verdict.FAIL,
) -> Case:
    features = [need for need in needs if not need.startswith("without ")]
    mark = "? " if otherwise is not Verdict.FAIL else ""
    lines = ["* memory", "* start", *(f"{mark}* {step}" for step in steps)]
    return Case(
        case,
        title,
        expected,
        section,
        "\n".join([f"* negotiate with {' '.join(features)}" if features else "* negotiate", *lines]),
        meanings={Behaviour.FAILED: otherwise} if mark else {},
        needs=("data", *needs),
        device="blk",
    )


CASES = (
    _case(
        "BLK-01",
        "sectors are written, and read again",
        "What is read is what was written.",
        _OPERATION,
        *["keep the sectors", "request: write the pattern", "request: read the pattern", "put the sectors back"],
        needs=("without RO",),
    ),
    _case(
        "BLK-02",
        "a flush",
        "It ends with status 0.",
        f"{_OPERATION}: VIRTIO_BLK_T_FLUSH",
        "request: flush",
        needs=("FLUSH",),
    ),
    _case(
        "BLK-03",
        "the identity of the disk is asked for",
        "It is answered: 20 bytes.",
        f"{_OPERATION}: VIRTIO_BLK_T_GET_ID; no feature bit says whether a device has it",
        "request: identity",
        otherwise=Verdict.NON_STRICT,
    ),
    _case(
        "BLK-04",
        "sectors are discarded",
        "It ends with status 0.",
        f"{_OPERATION}: VIRTIO_BLK_T_DISCARD",
        *["keep the sectors", "request: discard", "put the sectors back"],
        needs=("DISCARD", "without RO"),
    ),
    _case(
        "BLK-05",
        "zeroes are written to sectors by a request without data",
        "What is read then are zeroes.",
        f"{_OPERATION}: VIRTIO_BLK_T_WRITE_ZEROES",
        *["keep the sectors", "request: write the pattern", "request: write zeroes", "request: read zeroes"],
        "put the sectors back",
        needs=("WRITE_ZEROES", "without RO"),
    ),
    _case(
        "BLK-06",
        "sectors beyond the end of the disk are read",
        "It ends with an error of the device, status 1.",
        f"{_OPERATION}: a driver must not read beyond capacity; VIRTIO_BLK_S_IOERR for device or driver error",
        "request: read beyond the end",
    ),
    _case(
        "BLK-07",
        "the sector 2^55 is read, whose first byte has the number 2^64",
        "It ends with an error of the device, status 1: it is not the first sector.",
        f"{_OPERATION}: a driver must not read beyond capacity; VIRTIO_BLK_S_IOERR for device or driver error",
        "request: read where bytes wrap",
    ),
    _case(
        "BLK-08",
        "0 bytes are read",
        _SETTLES,
        _SURVIVES,
        *["offer: read nothing", "settled"],
    ),
    _case(
        "BLK-09",
        "the status has a buffer together with the data",
        "The request is done.",
        _FRAMING,
        "request: status with the data",
    ),
    _case(
        "BLK-10",
        "a request of a type that does not exist",
        "It ends with status 2, unsupported.",
        f"{_OPERATION}: VIRTIO_BLK_S_UNSUPP for a request unsupported by the device",
        "request: unknown request",
    ),
    _case(
        "BLK-11",
        "100 bytes are read, which is not a number of sectors",
        _SETTLES,
        f"{_OPERATION}: data is a multiple of 512 bytes; {_SURVIVES}",
        *["offer: read an odd size", "settled"],
    ),
    _case(
        "BLK-12",
        "the header is in two buffers of 8 bytes",
        "The request is done.",
        _FRAMING,
        "request: header in two",
    ),
    _case(
        "BLK-13",
        "16 sectors are read into 16 buffers",
        "The request is done.",
        _FRAMING,
        "request: many buffers",
    ),
    _case(
        "BLK-14",
        "a header of 8 bytes",
        _SETTLES,
        _SURVIVES,
        *["offer: short header", "settled"],
    ),
    _case(
        "BLK-15",
        "a request without room for its status",
        _SETTLES,
        _SURVIVES,
        *["offer: without status", "settled"],
    ),
    _case(
        "BLK-16",
        "the length in the used ring after a sector was read",
        "It is 513: a sector and the status.",
        "virtio specification, The Virtqueue Used Ring: len is the total of bytes written; drivers of disks ignore it",
        "request: length",
        otherwise=Verdict.NON_STRICT,
    ),
    _case(
        "BLK-17",
        "sectors beyond the end of the disk are discarded",
        "It ends with an error of the device, status 1.",
        f"{_OPERATION}: VIRTIO_BLK_S_IOERR for device or driver error",
        "request: discard beyond the end",
        needs=("DISCARD", "without RO"),
    ),
)
