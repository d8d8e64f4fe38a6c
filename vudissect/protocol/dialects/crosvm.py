"""What crosvm numbers and lays out differently, in the stages of its way to the specified shared memory."""

from dataclasses import replace

from vudissect.protocol.bits import Bit
from vudissect.protocol.dialects.dialect import Dialect, upstream_row
from vudissect.protocol.dialects.shmem import SHMEM_CONFIG_COUNTED, SHMEM_MESSAGES
from vudissect.protocol.dialects.virtio_fs import FS_NAMES, MAP_FLAGS, MAPPINGS, fs_messages
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.fields import pad, raw, u8, u32, u64
from vudissect.protocol.model import Answer, Array, Channel, Descriptors, FdKind, Gate, Layout, Meaning, Row, Tail
from vudissect.protocol.payloads import EMPTY, SHMEM_CONFIG, UUID
from vudissect.protocol.since import Since, qemu

_WHO = "crosvm, third_party/vmm_vhost"
_SOURCE = "crosvm third_party/vmm_vhost/src/message.rs"
_REGIONS = "SHARED_MEMORY_REGIONS"
_GATE = Gate(protocol=("BACKEND_REQ", _REGIONS))
_BACKEND = Gate(protocol=("BACKEND_REQ",))
_FILE = Descriptors(FdKind.FILE, 1, 1)

_SHARED_MEMORY = Layout(
    "shared_memory_regions",
    array=Array("regions", Layout("shared_memory_region", (u8("id"), pad(7), u64("length", Meaning.SIZE)))),
)
_SHMID = (u8("shmid"), pad(7))
_RANGE = (u64("shm_offset", Meaning.OFFSET), u64("len", Meaning.SIZE))
_SHMEM_MAP = Layout(
    "shared_memory_mapping.crosvm",
    (
        u8("flags", bits=MAP_FLAGS),
        u8("shmid"),
        pad(6),
        u64("shm_offset", Meaning.OFFSET),
        u64("fd_offset", Meaning.OFFSET),
        u64("len", Meaning.SIZE),
    ),
)
_SHMEM_UNMAP = Layout("shared_memory_range.crosvm", (*_SHMID, *_RANGE))
_GPU_MAP = Layout(
    "gpu_memory_mapping",
    (
        *_SHMID,
        *_RANGE,
        u32("memory_idx"),
        u32("handle_type"),
        replace(UUID.fields[0], name="device_uuid"),
        replace(UUID.fields[0], name="driver_uuid"),
    ),
    title="GPU memory mapping",
)
_EXTERNAL_MAP = Layout("external_mapping", (*_SHMID, *_RANGE, u64("ptr", Meaning.POINTER)))
_SUCCESS = u8("success", choices={0: "FAILED", 1: "ok"})
_DONE = Layout("success", (_SUCCESS,))
_DONE_WITH_STATE = Layout("success_and_state", (_SUCCESS,), tail=Tail(raw("state", 0)))
_STATE = Layout("state", tail=Tail(raw("state", 0)))


def _message(channel: Channel, number: int, name: str, summary: str, request: Layout, since: Since) -> Row:
    return Row(channel, number, name, summary, (request,), since=since, source=_SOURCE)


def _get_regions(number: int, since: Since) -> Row:
    return replace(
        _message(
            Channel.MAIN, number, "GET_SHARED_MEMORY_REGIONS", "Asks for the shared memory regions.", EMPTY, since
        ),
        answer=Answer.ALWAYS,
        reply=(_SHARED_MEMORY,),
        gate=Gate(protocol=(_REGIONS,)),
    )


def _snapshots(first: int, since: Since) -> tuple[Row, ...]:
    """SLEEP, WAKE, SNAPSHOT and RESTORE, numbered from `first`."""
    rows = (
        ("SLEEP", "Stops all queues and keeps their state.", EMPTY, _DONE),
        ("WAKE", "Starts all queues again.", EMPTY, _DONE),
        ("SNAPSHOT", "Saves the state of the device.", EMPTY, _DONE_WITH_STATE),
        ("RESTORE", "Restores the state of the device.", _STATE, _DONE),
    )
    return tuple(
        replace(
            _message(Channel.MAIN, number, name, summary, request, since),
            answer=Answer.ALWAYS,
            reply=(reply,),
            fds=Descriptors(FdKind.EVENT, 0, 32, note="one for each queue") if request is _STATE else Descriptors(),
        )
        for number, (name, summary, request, reply) in enumerate(rows, first)
    )


def _shared_memory(first: int, since: Since) -> tuple[Row, ...]:
    """The shared memory of crosvm, then its messages for virtio-fs, numbered from `first`."""
    return (
        replace(
            _message(Channel.BACKEND, first, "SHMEM_MAP", "Maps a file into shared memory.", _SHMEM_MAP, since),
            fds=_FILE,
            gate=_GATE,
        ),
        replace(
            _message(Channel.BACKEND, first + 1, "SHMEM_UNMAP", "Unmaps shared memory.", _SHMEM_UNMAP, since),
            gate=_GATE,
        ),
        *fs_messages(first + 2, FS_NAMES, MAPPINGS, _BACKEND, since, _SOURCE),
    )


def _gpu_map(number: int, since: Since) -> Row:
    return replace(
        _message(Channel.BACKEND, number, "GPU_MAP", "Maps memory of a GPU into shared memory.", _GPU_MAP, since),
        fds=_FILE,
        gate=_BACKEND,
    )


def _external_map(number: int, since: Since) -> Row:
    return replace(
        _message(
            Channel.BACKEND,
            number,
            "EXTERNAL_MAP",
            "Maps the front-end's own memory into shared memory.",
            _EXTERNAL_MAP,
            since,
        ),
        gate=_BACKEND,
    )


CROSVM_2022 = Dialect(
    key="crosvm-2022",
    title="crosvm's shared memory",
    when="2022-07 to 2023-06",
    who=_WHO,
    programs=("crosvm",),
    source=f"{_SOURCE}, feature bit since 60aa43629",
    as_of=qemu("7.2"),
    bits=(Bit(17, _REGIONS),),
    rows=(
        _get_regions(41, Since("crosvm", "2022-07")),
        *_shared_memory(6, Since("crosvm", "2022-07")),
        _gpu_map(12, Since("crosvm", "2022-12")),
    ),
)

CROSVM_2023 = Dialect(
    key="crosvm-2023",
    title="crosvm with snapshots",
    when="2023-05 to 2024-03",
    who=_WHO,
    programs=("crosvm",),
    source=f"{_SOURCE}, feature bit 31 since 6795b3edf",
    note="Until 2023-08 the feature bit was 17.",
    base=CROSVM_2022,
    bits=(PROTOCOL_FEATURES.by_number[17], Bit(31, _REGIONS)),
    rows=(*_snapshots(42, Since("crosvm", "2023-05")), _external_map(13, Since("crosvm", "2024-01"))),
)

_KEPT = (_gpu_map(1006, Since("crosvm", "2024-03")), _external_map(1007, Since("crosvm", "2024-03")))

CROSVM_2024 = Dialect(
    key="crosvm-2024",
    title="crosvm with numbers from 1000 up",
    when="2024-03 to 2025-12",
    who=_WHO,
    programs=("crosvm",),
    source=f"{_SOURCE}, e428c4ba8",
    note="Numbers in the specified range have their upstream meaning; GPU_MAP and EXTERNAL_MAP remain.",
    as_of=qemu("9.2"),
    bits=(Bit(31, _REGIONS),),
    rows=(
        *_snapshots(1000, Since("crosvm", "2024-03")),
        _get_regions(1004, Since("crosvm", "2024-03")),
        *_shared_memory(1000, Since("crosvm", "2024-03")),
        *_KEPT,
    ),
)

CROSVM_SHMEM20 = Dialect(
    key="crosvm-shmem20",
    title="crosvm with SHMEM as feature 20",
    when="2025-12-19 to 2026-03",
    who=_WHO,
    programs=("crosvm",),
    source=_SOURCE,
    note="The shared memory configuration has had a fixed size since 2026-01-23.",
    as_of=qemu("10.2"),
    bits=(Bit(20, "SHMEM"),),
    rows=(
        replace(
            upstream_row(Channel.MAIN, 44),
            reply=(SHMEM_CONFIG, SHMEM_CONFIG_COUNTED),
        ),
        *SHMEM_MESSAGES,
        *_KEPT,
    ),
)

CROSVM_SHMEM21 = Dialect(
    key="crosvm-shmem21",
    title="crosvm with SHMEM as feature 21",
    when="2026-03-09 to 2026-08-04",
    who=_WHO,
    programs=("crosvm",),
    source=_SOURCE,
    as_of=qemu("11.0"),
    bits=(Bit(21, "SHMEM"),),
    rows=(upstream_row(Channel.MAIN, 44), *SHMEM_MESSAGES, *_KEPT),
)

CROSVM_2026 = Dialect(
    key="crosvm-2026",
    title="crosvm with SHMEM as specified",
    when="since 2026-08-04",
    who=_WHO,
    programs=("crosvm",),
    source=_SOURCE,
    living=True,
    rows=_KEPT,
)

DIALECTS = (CROSVM_2022, CROSVM_2023, CROSVM_2024, CROSVM_SHMEM20, CROSVM_SHMEM21, CROSVM_2026)
