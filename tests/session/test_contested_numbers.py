"""One exchange for each number that several dialects use: the context shows which dialect is meant."""

from collections.abc import Callable

import pytest

from tests.conversation import Conversation, file, memfd, of_kind
from tests.session.dialects import PROTOCOL_FEATURES, begin, begin_plainly, judge, named
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel

BACK = Channel.BACKEND
HOST_POINTER = 0x7F00_0000_0000
ONE_FILE = (file("data", 4096),)


def mst() -> Conversation:
    talk = Conversation(protocol=named("mst-2015").protocol)
    talk.open("front", "back")
    talk.ask("GET_FEATURES", features=0)
    talk.ask("GET_PROTOCOL_FEATURES", features=3)
    return talk


def says(talk: Conversation, *messages: Callable[[Conversation], None]) -> Conversation:
    for message in messages:
        message(talk)
    return talk


def ask(name: str, **answer: object) -> Callable[[Conversation], None]:
    return lambda talk: talk.ask(name, **answer)


def front(name: str, **fields: object) -> Callable[[Conversation], None]:
    return lambda talk: talk.front_end(name, **fields)


def back(name: str, **fields: object) -> Callable[[Conversation], None]:
    return lambda talk: talk.back_end(name, BACK, **fields)


CASES: dict[str, tuple[str, Callable[[], Conversation]]] = {
    # The front-end's numbers.
    "5 with regions of 24 bytes": (
        "v1-base",
        lambda: says(
            begin_plainly("v1-base"),
            front(
                "SET_MEM_TABLE", layout="memory table (2014)", regions=[{"size": 4096}] * 2, descriptors=(memfd(),) * 2
            ),
        ),
    ),
    "4 with a ring": ("mq-v1", lambda: says(begin_plainly("mq-v1"), front("RESET_OWNER", index=0, num=0))),
    "15 with a ring in version 2": ("mst-2015", lambda: says(mst(), front("GET_RUNNING", index=0, num=0))),
    "15 with a file": (
        "vos-rfc",
        lambda: says(begin_plainly("vos-rfc"), front("NET_SET_BACKEND", index=0, descriptors=ONE_FILE)),
    ),
    "16 without contents": ("vos-rfc", lambda: says(begin_plainly("vos-rfc"), ask("ECHO"))),
    "17 with the features of 2015": ("mst-2015", mst),
    "18 as a word of features": ("mst-2015", lambda: says(mst(), front("SET_PROTOCOL_FEATURES", features=3))),
    "15 as the last message": (
        "doc-offbyone",
        lambda: says(begin_plainly("doc-offbyone"), front("SET_VRING_ERR", nofd=1)),
    ),
    "20 without contents": (
        "input-rfc",
        lambda: says(begin("input-rfc"), ask("INPUT_GET_CONFIG", configs=[{"select": 1}, {"select": 2}])),
    ),
    "21 with the feature only offered": (
        "slave-rfc",
        lambda: says(
            Conversation(protocol=named("slave-rfc").protocol),
            lambda talk: talk.open("front", "back"),
            ask("GET_FEATURES", features=PROTOCOL_FEATURES),
            ask("GET_PROTOCOL_FEATURES", features=1 << 5),
            front("SET_PROTOCOL_FEATURES", features=0),
            front("SET_FEATURES", features=PROTOCOL_FEATURES),
            front("SET_SLAVE_REQ_FD", descriptors=(of_kind(DescriptorKind.SOCKET, "socket"),)),
        ),
    ),
    "24 without the feature": (
        "config-rfc",
        lambda: says(begin("config-rfc"), front("GET_CONFIG", offset=0, contents=bytes(8))),
    ),
    "25 with flag 2": (
        "rust-cfgflags",
        lambda: says(begin("rust-cfgflags", 9), front("SET_CONFIG", flags=2, contents=bytes(1))),
    ),
    "27 with a command": ("spdk-nvme-v1", lambda: says(begin("spdk-nvme-v1"), front("NVME_ADMIN", opcode=6))),
    "33 with a ring": ("spdk-nvme-v2", lambda: says(begin("spdk-nvme-v2"), front("GET_INFLIGHT_NUM", index=0, num=0))),
    "34 with a ring": ("inband-rfc", lambda: says(begin("inband-rfc", 13), front("VRING_KICK", index=0, num=0))),
    "36 with a status": ("status-rfc", lambda: says(begin("status-rfc", 15), front("SET_STATUS", status=15))),
    "38 with a status": ("ftl", lambda: says(begin("ftl", 15, 16), front("SET_STATUS", status=15))),
    "41 with a UUID": ("upstream", lambda: says(begin("upstream", 18), front("GET_SHARED_OBJECT", uuid=b"u" * 16))),
    "41 answered with 16 bytes": (
        "standalone-v1",
        lambda: says(
            begin("standalone-v1", 18), ask("GET_BACKEND_SPECS", device_id=2, config_size=60, min_vqs=1, max_vqs=4)
        ),
    ),
    "41 answered with 4 bytes": ("probe-v2", lambda: says(begin("probe-v2", 18), ask("GET_DEVICE_ID", device_id=2))),
    "41 answered with regions": (
        "crosvm-2022",
        lambda: says(
            begin("crosvm-2022", 17), ask("GET_SHARED_MEMORY_REGIONS", regions=[{"id": 0, "length": 4096}, {"id": 1}])
        ),
    ),
    "41 with a phase": ("presetup-rfc", lambda: says(begin("presetup-rfc", 18), front("PRESETUP", phase=1))),
    "41 with the end of an access": (
        "fs-dax-2021",
        lambda: says(begin("fs-dax-2021"), front("MEM_DATA", id=1, len=4096)),
    ),
    "42 with a pipe": (
        "upstream",
        lambda: says(
            begin("upstream", 19),
            front("SET_DEVICE_STATE_FD", direction=0, phase=0, descriptors=(of_kind(DescriptorKind.PIPE, "pipe"),)),
        ),
    ),
    "42 answered with 4 bytes": (
        "probe-v2",
        lambda: says(begin("probe-v2", 18), ask("GET_CONFIG_SIZE", config_size=60)),
    ),
    "42 answered with 1 byte": ("crosvm-2023", lambda: says(begin("crosvm-2023", 31), ask("SLEEP", success=1))),
    "43 answered with 8 bytes": ("upstream", lambda: says(begin("upstream", 19), ask("CHECK_DEVICE_STATE", result=0))),
    "43 answered with 4 bytes": ("probe-v2", lambda: says(begin("probe-v2", 18), ask("GET_MIN_VQ", min_vqs=1))),
    "43 answered with 1 byte": ("crosvm-2023", lambda: says(begin("crosvm-2023", 31), ask("WAKE", success=1))),
    "44 answered with 2056 bytes": (
        "upstream",
        lambda: says(begin("upstream", 22), ask("GET_SHMEM_CONFIG", nregions=0)),
    ),
    "44 answered with two sizes": (
        "shmem-bit20",
        lambda: says(
            begin("shmem-bit20", 20),
            ask(
                "GET_SHMEM_CONFIG",
                layout="shared memory configuration (draft)",
                nregions=2,
                sizes=[{"size": 4096}, {"size": 4096}],
            ),
        ),
    ),
    "44 answered with a state": (
        "crosvm-2023",
        lambda: says(begin("crosvm-2023", 31), ask("SNAPSHOT", success=1, state=b"abc")),
    ),
    "45": ("crosvm-2023", lambda: says(begin("crosvm-2023", 31), front("RESTORE", state=b"abc"))),
    "60": ("spdk-nvme-v2", lambda: says(begin("spdk-nvme-v2"), front("GET_PENDING_NUM"))),
    "80": ("spdk-nvme-v2", lambda: says(begin("spdk-nvme-v2"), front("NVME_ADMIN", opcode=6))),
    "1000": ("crosvm-2024", lambda: says(begin("crosvm-2024", 31), ask("SLEEP", success=1))),
    # The back-end's numbers.
    "back-end 2 with a ring": (
        "vfio-rfc",
        lambda: says(begin("vfio-rfc", 7), back("VFIO_SET_VRING_GROUP_FD", index=0, descriptors=ONE_FILE)),
    ),
    "back-end 3 with the feature of VFIO": (
        "vfio-rfc",
        lambda: says(
            begin("vfio-rfc", 7), back("VFIO_SET_VRING_NOTIFY_AREA", index=0, size=4096, descriptors=ONE_FILE)
        ),
    ),
    "back-end 6 with a UUID": (
        "upstream",
        lambda: says(begin("upstream", 18), back("SHARED_OBJECT_ADD", uuid=b"u" * 16)),
    ),
    "back-end 6 with eight mappings": (
        "fs-dax",
        lambda: says(begin("fs-dax"), back("FS_MAP", len0=4096, descriptors=ONE_FILE)),
    ),
    "back-end 6 with counted mappings": (
        "fs-dax-2021",
        lambda: says(begin("fs-dax-2021"), back("FS_MAP", mappings=[{"len": 4096}], descriptors=ONE_FILE)),
    ),
    "back-end 6 with 32 bytes": (
        "crosvm-2022",
        lambda: says(begin("crosvm-2022", 17), back("SHMEM_MAP", len=4096, descriptors=ONE_FILE)),
    ),
    "back-end 9 with 40 bytes": (
        "upstream",
        lambda: says(begin("upstream", 22), back("SHMEM_MAP", len=4096, descriptors=ONE_FILE)),
    ),
    "back-end 9 with eight mappings": (
        "fs-dax",
        lambda: says(begin("fs-dax"), back("FS_IO", len0=4096, descriptors=ONE_FILE)),
    ),
    "back-end 9 with an access": (
        "fs-dax-2021",
        lambda: says(begin("fs-dax-2021"), back("MEM_ACCESS", id=1, len=4096)),
    ),
    "back-end 11 with an address": ("shmem-bit20", lambda: says(begin("shmem-bit20", 20), back("MEM_READ", size=4096))),
    "back-end 12 of a GPU": (
        "crosvm-2022",
        lambda: says(begin("crosvm-2022", 17), back("GPU_MAP", descriptors=ONE_FILE)),
    ),
    "back-end 1000 with eight mappings": (
        "rust-fs",
        lambda: says(begin("rust-fs"), back("FS_MAP", len0=4096, descriptors=ONE_FILE)),
    ),
    "back-end 1000 with 32 bytes": (
        "crosvm-2024",
        lambda: says(begin("crosvm-2024", 31), back("SHMEM_MAP", len=4096, descriptors=ONE_FILE)),
    ),
    "back-end 1006 with SHMEM": (
        "crosvm-2026",
        lambda: says(begin("crosvm-2026", 22), back("GPU_MAP", descriptors=ONE_FILE)),
    ),
    # The numbers of features.
    "feature 17 for shared objects": (
        "shobj-bit17",
        lambda: says(begin("shobj-bit17", 17), back("SHARED_OBJECT_ADD", uuid=b"u" * 16)),
    ),
    "feature 20 for shared memory": (
        "shmem-bit20",
        lambda: says(begin("shmem-bit20", 20), back("SHMEM_MAP", len=4096, descriptors=ONE_FILE)),
    ),
    "feature 20 for shared memory, and a GPU": (
        "crosvm-shmem20",
        lambda: says(begin("crosvm-shmem20", 20), ask("GET_SHMEM_CONFIG"), back("GPU_MAP", descriptors=ONE_FILE)),
    ),
    "feature 21 for shared memory": (
        "shmem-bit21",
        lambda: says(begin("shmem-bit21", 21), back("SHMEM_MAP", len=4096, descriptors=ONE_FILE)),
    ),
    "feature 21 for shared memory, and a GPU": (
        "crosvm-shmem21",
        lambda: says(begin("crosvm-shmem21", 21), ask("GET_SHMEM_CONFIG"), back("GPU_MAP", descriptors=ONE_FILE)),
    ),
    "feature 21 and rings at host pointers": (
        "shmem-bit21",
        lambda: says(
            begin("shmem-bit21", 21),
            front("SET_VRING_ADDR", desc=HOST_POINTER, used=HOST_POINTER, avail=HOST_POINTER),
        ),
    ),
    "feature 21 and rings at guest addresses": (
        "upstream",
        lambda: says(begin("upstream", 21), front("SET_VRING_ADDR", desc=0x1000, used=0x2000, avail=0x3000)),
    ),
    "feature 31": ("crosvm-2023", lambda: begin("crosvm-2023", 31)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_context_identifies_the_meaning_of_a_contested_number(case: str) -> None:
    key, converse = CASES[case]

    assert judge(converse()).dialect.key == key
