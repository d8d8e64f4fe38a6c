"""What a back-end shares with the front-end by requests on its channel: memory of files, and objects."""

from vudissect.check.model import Behaviour, Case, Meanings, Verdict

_MAPPED = "VHOST_USER_BACKEND_SHMEM_MAP; VHOST_USER_BACKEND_SHMEM_UNMAP (QEMU 11.1)"
_OBJECT = "VHOST_USER_BACKEND_SHARED_OBJECT_ADD; VHOST_USER_BACKEND_SHARED_OBJECT_REMOVE"
_DAX = "virtio specification, File System Device, Device Operation: DAX Window"


def _mapping(
    case: str,
    title: str,
    expected: str,
    section: str,
    *steps: str,
    more: tuple[str, ...] = (),
    meanings: Meanings | None = None,
) -> Case:
    lines = [
        f"* negotiate with BACKEND_REQ BACKEND_SEND_FD SHMEM {' '.join(more)}".rstrip(),
        "F>B GET_SHMEM_CONFIG",
        "F>B SET_BACKEND_REQ_FD sock#1",
        *("* memory", "* start", "* request", "* request: create a file"),
        *steps,
        *("* the back-end does not break VU-SHM-01", "* request: remove the file"),
    ]
    return Case(
        case,
        title,
        expected,
        section,
        "\n".join(lines),
        rules=("VU-SHM-01",),
        meanings=meanings or {},
        needs=("SHMEM", "BACKEND_REQ", "BACKEND_SEND_FD", *more, "data"),
        device="fs",
    )


def _object(
    case: str,
    title: str,
    expected: str,
    section: str,
    *steps: str,
    rules: tuple[str, ...],
    meanings: Meanings | None = None,
) -> Case:
    lines = ["* negotiate with BACKEND_REQ SHARED_OBJECT RESOURCE_UUID", "F>B SET_BACKEND_REQ_FD sock#1"]
    lines += ["* memory", "* start", "* request: create", "* request: assign a UUID"]
    needs = ("SHARED_OBJECT", "BACKEND_REQ", "RESOURCE_UUID", "data")
    return Case(
        case,
        title,
        expected,
        section,
        "\n".join([*lines, *steps]),
        rules=rules,
        meanings=meanings or {},
        needs=needs,
        device="gpu",
    )


CASES = (
    Case(
        "SHM-01",
        "the sizes of the shared memory regions",
        "They are multiples of the page size, and the same when they are asked for again.",
        "VHOST_USER_GET_SHMEM_CONFIG; Shared memory configuration (QEMU 11.1)",
        """
        * negotiate with SHMEM
        F>B GET_SHMEM_CONFIG
        F>B GET_SHMEM_CONFIG
        * the back-end does not break VU-SHM-02
        """,
        rules=("VU-SHM-02",),
        needs=("SHMEM",),
        device="fs",
    ),
    _mapping(
        "SHM-02",
        "a part of a file is mapped",
        "SHMEM_MAP comes with a descriptor, and is about whole pages within a region.",
        f"{_MAPPED}; {_DAX}",
        "* request: map the file",
        "* SHMEM_MAP comes on the channel",
    ),
    _mapping(
        "SHM-03",
        "it is mapped again, at the same place",
        "The first mapping is removed before, as mappings must not overlap; or the request fails.",
        f"{_MAPPED}: an overlapping mapping fails; {_DAX}",
        "* request: map the file",
        "* SHMEM_MAP comes on the channel",
        "? * request: map the file",
        meanings={Behaviour.FAILED: Verdict.INFORMATIONAL},
    ),
    _mapping(
        "SHM-04",
        "the mapping is removed",
        "SHMEM_UNMAP comes, and is about the whole of the mapping.",
        f"{_MAPPED}: a mapping is removed as a whole; {_DAX}",
        "* request: map the file",
        "* SHMEM_MAP comes on the channel",
        "* request: unmap the file",
        "* SHMEM_UNMAP comes on the channel",
    ),
    _mapping(
        "SHM-05",
        "RESET_DEVICE, and the file is mapped at the same place again",
        "SHMEM_MAP comes, and no SHMEM_UNMAP: a reset has removed all mappings.",
        f"{_MAPPED}: mappings are removed when the device is reset",
        "* request: map the file",
        "* SHMEM_MAP comes on the channel",
        "* stop",
        "F>B RESET_DEVICE",
        "F>B SET_FEATURES features={features}",
        "* start again",
        "* request",
        "* request: map the file",
        "* SHMEM_MAP comes on the channel",
        more=("RESET_DEVICE",),
    ),
    _mapping(
        "SHM-06",
        "the front-end refuses a mapping",
        "The request of the driver fails, and others go on.",
        f"VHOST_USER_PROTOCOL_F_REPLY_ACK: a value other than 0 is a failure; {_DAX}",
        "* what is asked on the channel is refused",
        "* request: map the file, in vain",
        "* request",
    ),
    _mapping(
        "SHM-07",
        "the front-end does not acknowledge a mapping",
        "The request of the driver waits or fails; the process lives, and serves others again.",
        "no text: a front-end may be slow, or have ended",
        "* what is asked on the channel is not acknowledged",
        "? * request: map the file, in vain",
        meanings={Behaviour.FAILED: Verdict.INFORMATIONAL},
    ),
    _object(
        "SHO-01",
        "a resource gets a UUID",
        "SHARED_OBJECT_ADD comes with this UUID.",
        _OBJECT,
        "* SHARED_OBJECT_ADD comes on the channel about the object",
        "* the back-end does not break VU-SHO-01",
        rules=("VU-SHO-01",),
    ),
    _object(
        "SHO-02",
        "GET_SHARED_OBJECT of a UUID that nobody has added",
        "It is answered without a descriptor, or refused by closing the connection; the process lives.",
        "VHOST_USER_GET_SHARED_OBJECT: the back-end has to respond with the file descriptor; no text on unknown UUIDs",
        "? F>B GET_SHARED_OBJECT uuid=01234567-89ab-cdef-0123-456789abcdef",
        rules=("VU-SHO-02",),
        meanings={Behaviour.ANSWERED: Verdict.PASS, Behaviour.CLOSED: Verdict.PASS},
    ),
    _object(
        "SHO-03",
        "GET_SHARED_OBJECT of the UUID of a resource",
        "It is answered with a descriptor.",
        "VHOST_USER_GET_SHARED_OBJECT: the back-end has to respond with the file descriptor",
        "F>B GET_SHARED_OBJECT uuid={uuid}",
        "* a descriptor came",
        rules=("VU-SHO-02",),
    ),
    _object(
        "SHO-04",
        "a resource that has a UUID is released",
        "SHARED_OBJECT_REMOVE comes with this UUID.",
        _OBJECT,
        "* SHARED_OBJECT_ADD comes on the channel about the object",
        "* request: release",
        "* SHARED_OBJECT_REMOVE comes on the channel about the object",
        "* the back-end does not break VU-SHO-01",
        rules=("VU-SHO-01",),
    ),
)
