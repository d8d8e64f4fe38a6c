"""The dialects compared with their sources, written here a second time; and their consistency."""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

import pytest

from vudissect.protocol import dialects
from vudissect.protocol.bits import Bit
from vudissect.protocol.dialects import DIALECTS, UPSTREAM_DIALECT, dialect_by_name
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Answer, Channel, FdKind, Layout, Row
from vudissect.protocol.payloads import EMPTY
from vudissect.protocol.since import Since, qemu
from vudissect.protocol.table import UPSTREAM, Protocol

FRONT, BACK = Channel.MAIN, Channel.BACKEND

KEYS = [
    "upstream",
    "vos-rfc",
    "doc-offbyone",
    "v1-base",
    "mq-v1",
    "reset-device-4",
    "mst-2015",
    "slave-rfc",
    "config-rfc",
    "crypto-rfc",
    "input-rfc",
    "vfio-rfc",
    "reply-ack-v1",
    "spdk-nvme-v1",
    "spdk-nvme-v2",
    "fs-dax",
    "fs-dax-2021",
    "inband-rfc",
    "status-rfc",
    "rust-fs",
    "crosvm-2022",
    "crosvm-2023",
    "crosvm-2024",
    "crosvm-2026",
    "crosvm-shmem20",
    "crosvm-shmem21",
    "standalone-v1",
    "probe-v2",
    "shobj-bit17",
    "shmem-bit20",
    "shmem-bit21",
    "xen-rfc",
    "presetup-rfc",
    "vfe",
    "ftl",
    "rust-cfgflags",
    "uml-pipe",
    "yandex-skip-drain",
    "size-variants",
]

# Channel, number, name, sizes of the request, sizes of the reply. An acknowledgement is not a reply.
MESSAGES: dict[str, list[tuple[Channel, int, str, list[str], list[str]]]] = {
    "reset-device-4": [(FRONT, 4, "RESET_DEVICE", ["0"], [])],
    "crosvm-2026": [(BACK, 1006, "GPU_MAP", ["64"], []), (BACK, 1007, "EXTERNAL_MAP", ["32"], [])],
    "vos-rfc": [
        (FRONT, 5, "SET_MEM_TABLE", ["8 + 24 x nregions"], []),
        (FRONT, 15, "NET_SET_BACKEND", ["8"], []),
        (FRONT, 16, "ECHO", ["0"], ["0"]),
    ],
    "doc-offbyone": [
        (FRONT, 2, "GET_FEATURES", ["0"], ["8"]),
        (FRONT, 6, "SET_MEM_TABLE", ["8 + 24 x nregions"], []),
        (FRONT, 15, "SET_VRING_ERR", ["8"], []),
    ],
    "v1-base": [(FRONT, 5, "SET_MEM_TABLE", ["8 + 32 x nregions", "8 + 24 x nregions"], [])],
    "mq-v1": [(FRONT, 4, "RESET_OWNER", ["8"], [])],
    "mst-2015": [
        (FRONT, 15, "GET_RUNNING", ["8"], ["8"]),
        (FRONT, 16, "SET_RUNNING", ["8"], []),
        (FRONT, 17, "GET_PROTOCOL_FEATURES", ["0"], ["8"]),
        (FRONT, 18, "SET_PROTOCOL_FEATURES", ["8"], []),
    ],
    "input-rfc": [(FRONT, 20, "INPUT_GET_CONFIG", ["0"], ["0 + 136 x n"])],
    "crypto-rfc": [
        (FRONT, 26, "CREATE_CRYPTO_SESSION", ["632"], ["632"]),
        (FRONT, 27, "CLOSE_CRYPTO_SESSION", ["8"], []),
    ],
    "slave-rfc": [(FRONT, 21, "SET_SLAVE_REQ_FD", ["0"], [])],
    "config-rfc": [
        (FRONT, 24, "GET_CONFIG", ["12 + size"], ["12 + size", "0"]),
        (FRONT, 25, "SET_CONFIG", ["12 + size"], []),
        (BACK, 2, "CONFIG_CHANGE_MSG", ["0"], []),
    ],
    "vfio-rfc": [
        (BACK, 2, "VFIO_SET_VRING_GROUP_FD", ["8"], []),
        (BACK, 3, "VFIO_SET_VRING_NOTIFY_AREA", ["24"], []),
    ],
    "spdk-nvme-v1": [
        (FRONT, 27, "NVME_ADMIN", ["64"], ["16", "4112"]),
        (FRONT, 28, "NVME_SET_CQ_CALL", ["8"], []),
        (FRONT, 29, "NVME_GET_CAP", ["0"], ["8"]),
        (FRONT, 30, "NVME_START_STOP", ["8"], []),
        (FRONT, 31, "NVME_IO_CMD", ["12"], []),
    ],
    "spdk-nvme-v2": [
        (FRONT, 33, "GET_INFLIGHT_NUM", ["8", "0"], ["8"]),
        (FRONT, 60, "GET_PENDING_NUM", ["0 + n"], ["0 + n"]),
        (FRONT, 61, "SET_IO_DOWN", ["0 + n"], ["0 + n"]),
        (FRONT, 62, "SET_IO_CLEANUP", ["0 + n"], ["0 + n"]),
        (FRONT, 63, "SET_IO_FINAL", ["0 + n"], []),
        (FRONT, 80, "NVME_ADMIN", ["64"], ["16", "4112"]),
        (FRONT, 84, "NVME_IO_CMD", ["12"], []),
    ],
    "fs-dax": [
        (BACK, 6, "FS_MAP", ["256"], []),
        (BACK, 7, "FS_UNMAP", ["256"], []),
        (BACK, 8, "FS_SYNC", ["256"], []),
        (BACK, 9, "FS_IO", ["256"], ["8"]),
    ],
    "fs-dax-2021": [
        (BACK, 8, "FS_IO", ["8 + 32 x count"], ["8"]),
        (BACK, 9, "MEM_ACCESS", ["24"], []),
        (FRONT, 41, "MEM_DATA", ["24"], []),
    ],
    "rust-fs": [
        (BACK, 1000, "FS_MAP", ["256"], []),
        (BACK, 1001, "FS_UNMAP", ["256"], []),
        (BACK, 1002, "FS_SYNC", ["256"], []),
        (BACK, 1003, "FS_IO", ["256"], ["8"]),
    ],
    "inband-rfc": [
        (FRONT, 34, "VRING_KICK", ["8"], []),
        (BACK, 4, "VRING_CALL", ["8"], []),
        (BACK, 5, "VRING_ERR", ["8"], []),
    ],
    "status-rfc": [(FRONT, 36, "SET_STATUS", ["8"], [])],
    "crosvm-2022": [
        (FRONT, 41, "GET_SHARED_MEMORY_REGIONS", ["0"], ["0 + 16 x n"]),
        (BACK, 6, "SHMEM_MAP", ["32"], []),
        (BACK, 7, "SHMEM_UNMAP", ["24"], []),
        (BACK, 8, "FS_MAP", ["256"], []),
        (BACK, 11, "FS_IO", ["256"], ["8"]),
        (BACK, 12, "GPU_MAP", ["64"], []),
    ],
    "crosvm-2023": [
        (FRONT, 41, "GET_SHARED_MEMORY_REGIONS", ["0"], ["0 + 16 x n"]),
        (FRONT, 42, "SLEEP", ["0"], ["1"]),
        (FRONT, 43, "WAKE", ["0"], ["1"]),
        (FRONT, 44, "SNAPSHOT", ["0"], ["1 + n"]),
        (FRONT, 45, "RESTORE", ["0 + n"], ["1"]),
    ],
    "crosvm-2024": [
        (FRONT, 1000, "SLEEP", ["0"], ["1"]),
        (FRONT, 1001, "WAKE", ["0"], ["1"]),
        (FRONT, 1002, "SNAPSHOT", ["0"], ["1 + n"]),
        (FRONT, 1003, "RESTORE", ["0 + n"], ["1"]),
        (FRONT, 1004, "GET_SHARED_MEMORY_REGIONS", ["0"], ["0 + 16 x n"]),
        (FRONT, 42, "SET_DEVICE_STATE_FD", ["8"], ["8"]),
        (BACK, 1000, "SHMEM_MAP", ["32"], []),
        (BACK, 1005, "FS_IO", ["256"], ["8"]),
        (BACK, 1006, "GPU_MAP", ["64"], []),
        (BACK, 1007, "EXTERNAL_MAP", ["32"], []),
    ],
    "crosvm-shmem20": [
        (FRONT, 44, "GET_SHMEM_CONFIG", ["0"], ["2056", "8 + 8 x n"]),
        (BACK, 9, "SHMEM_MAP", ["40"], []),
        (BACK, 1006, "GPU_MAP", ["64"], []),
    ],
    "crosvm-shmem21": [(FRONT, 44, "GET_SHMEM_CONFIG", ["0"], ["2056"]), (BACK, 1007, "EXTERNAL_MAP", ["32"], [])],
    "standalone-v1": [(FRONT, 41, "GET_BACKEND_SPECS", ["0"], ["16"])],
    "probe-v2": [
        (FRONT, 41, "GET_DEVICE_ID", ["0"], ["4"]),
        (FRONT, 42, "GET_CONFIG_SIZE", ["0"], ["4"]),
        (FRONT, 43, "GET_MIN_VQ", ["0"], ["4"]),
    ],
    "presetup-rfc": [(FRONT, 41, "PRESETUP", ["8"], [])],
    "shmem-bit20": [
        (FRONT, 44, "GET_SHMEM_CONFIG", ["0"], ["2056", "8 + 8 x n"]),
        (BACK, 11, "MEM_READ", ["12 + n"], []),
        (BACK, 12, "MEM_WRITE", ["12 + n"], []),
    ],
    "xen-rfc": [(FRONT, 5, "SET_MEM_TABLE", ["8 + 40 x nregions"], [])],
    "ftl": [(FRONT, 38, "SET_STATUS", ["8"], [])],
    "uml-pipe": [(FRONT, 5, "SET_MEM_TABLE", ["72"], ["8 + 32 x nregions"])],
    "size-variants": [
        (
            FRONT,
            5,
            "SET_MEM_TABLE",
            ["8 + 32 x nregions", "8 + 40 x nregions", "72", "264", "8 + 24 x nregions"],
            ["8 + 32 x nregions"],
        ),
        (FRONT, 6, "SET_LOG_BASE", ["16", "8"], ["8", "16", "0"]),
        (FRONT, 37, "ADD_MEM_REG", ["40", "48", "36", "8"], ["40"]),
        (FRONT, 41, "GET_SHARED_OBJECT", ["16", "0"], ["0"]),
        (FRONT, 44, "GET_SHMEM_CONFIG", ["0"], ["2056", "8 + 8 x n"]),
    ],
}

BITS = {
    "mst-2015": {0: "REPLY_ALL", 1: "MUST_RUN"},
    "slave-rfc": {5: "SLAVE_REQ"},
    "vfio-rfc": {7: "VFIO"},
    "inband-rfc": {13: "IN_BAND_NOTIFICATIONS"},
    "status-rfc": {15: "STATUS"},
    "crosvm-2022": {17: "SHARED_MEMORY_REGIONS"},
    "crosvm-2023": {31: "SHARED_MEMORY_REGIONS"},
    "crosvm-2024": {31: "SHARED_MEMORY_REGIONS"},
    "standalone-v1": {18: "STANDALONE"},
    "probe-v2": {18: "PROBE"},
    "presetup-rfc": {18: "PRESETUP"},
    "vfe": {18: "PRESETUP"},
    "shobj-bit17": {17: "SHARED_OBJECT"},
    "shmem-bit20": {20: "SHMEM"},
    "crosvm-shmem20": {20: "SHMEM"},
    "shmem-bit21": {21: "SHMEM"},
    "crosvm-shmem21": {21: "SHMEM"},
}

# The last message of the front-end, the last of the back-end and the last protocol feature at the time of a draft,
# including its own; -1 for none.
LAST = {
    "v1-base": (14, -1, -1),
    "mst-2015": (18, -1, 1),
    "reply-ack-v1": (19, -1, 3),
    "input-rfc": (20, -1, 2),
    "slave-rfc": (21, -1, 5),
    "vfio-rfc": (23, 3, 7),
    "config-rfc": (30, 2, 8),
    "inband-rfc": (34, 5, 13),
    "status-rfc": (36, 5, 15),
    "probe-v2": (43, 5, 18),
    "standalone-v1": (41, 5, 18),
    "shobj-bit17": (41, 8, 17),
}


# What follows current upstream.
LIVING = {"upstream", "rust-cfgflags", "uml-pipe", "crosvm-2026", "size-variants"}


def named(key: str) -> Dialect:
    dialect = dialect_by_name(key)
    assert dialect is not None
    return dialect


def sizes(layouts: tuple[Layout, ...]) -> list[str]:
    return [layout.size_text for layout in layouts]


def rows() -> list[tuple[Dialect, Row]]:
    """The dialects' own rows."""
    return [(dialect, row) for dialect in DIALECTS for row in dialect.changed]


def test_exactly_these_dialects_exist() -> None:
    assert set(KEYS) == {dialect.key for dialect in DIALECTS}


def test_no_two_dialects_share_a_name() -> None:
    assert len({dialect.key for dialect in DIALECTS}) == len(DIALECTS)


@pytest.mark.parametrize("module", sorted(module.name for module in iter_modules(dialects.__path__)))
def test_every_dialect_is_listed(module: str) -> None:
    found = vars(import_module(f"{dialects.__name__}.{module}")).values()

    assert [each.key for each in found if isinstance(each, Dialect) and each not in DIALECTS] == []


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.key)
def test_its_base_comes_before_it(dialect: Dialect) -> None:
    assert dialect.base is None or DIALECTS.index(dialect.base) < DIALECTS.index(dialect)


def test_upstream_comes_first_and_changes_nothing() -> None:
    assert DIALECTS[0] is UPSTREAM_DIALECT
    assert UPSTREAM_DIALECT.protocol is UPSTREAM


def test_the_key_of_a_dialect_ignores_case() -> None:
    assert named("Probe-V2").key == "probe-v2"


def test_an_unknown_dialect_is_none() -> None:
    assert dialect_by_name("probe-v3") is None


@pytest.mark.parametrize("key", MESSAGES)
def test_its_messages_have_these_numbers_names_and_sizes(key: str) -> None:
    protocol = named(key).protocol
    for channel, number, name, request, reply in MESSAGES[key]:
        row = protocol.request(channel, number)

        assert row is not None
        assert (row.name, sizes(row.request), sizes(row.reply)) == (name, request, reply)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.key)
def test_its_own_features_have_these_numbers(dialect: Dialect) -> None:
    assert {bit.number: bit.name for bit in dialect.changed_bits} == BITS.get(dialect.key, {})


@pytest.mark.parametrize("key", LAST)
def test_a_draft_has_what_existed_at_its_time(key: str) -> None:
    protocol = named(key).protocol
    last = [
        max((row.id for row in protocol.channel(FRONT)), default=-1),
        max((row.id for row in protocol.channel(BACK)), default=-1),
        max((bit.number for bit in protocol.protocol_features.bits), default=-1),
    ]

    assert tuple(last) == LAST[key]


def upstream_with(since: Since) -> Protocol:
    """Upstream with a future message and protocol feature."""
    row = Row(FRONT, 2000, "FRY_EGGS", "Fries eggs.", (EMPTY,), since=since)
    features = UPSTREAM.protocol_features
    more = replace(features, bits=(*features.bits, Bit(60, "EGGS", since=since)))
    return replace(UPSTREAM, messages=(*UPSTREAM.messages, row), protocol_features=more)


def have_what_came_with(since: Since) -> set[str]:
    upstream = upstream_with(since)
    tables = {dialect.key: dialect.on(upstream) for dialect in DIALECTS}
    with_message = {key for key, table in tables.items() if table.request(FRONT, 2000)}
    assert with_message == {key for key, table in tables.items() if 60 in table.protocol_features.by_number}
    return with_message


def test_additions_to_upstream_are_not_in_old_dialects() -> None:
    assert have_what_came_with(qemu("12.0")) == LIVING


def test_additions_to_upstream_are_in_later_dialects() -> None:
    later = {"shmem-bit21", "crosvm-shmem21", "xen-rfc", "ftl", "yandex-skip-drain"}

    assert have_what_came_with(qemu("11.0")) == LIVING | later


def test_an_old_dialect_does_not_have_additions_of_unknown_release() -> None:
    assert have_what_came_with(Since("virtio", "1.0")) == LIVING


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.key)
def test_it_has_its_time(dialect: Dialect) -> None:
    """It has exactly one of: a release of upstream, current upstream, a base."""
    assert sum((dialect.as_of is not None, dialect.living, dialect.base is not None)) == 1


@pytest.mark.parametrize("dialect", DIALECTS[1:], ids=lambda dialect: dialect.key)
def test_it_is_described(dialect: Dialect) -> None:
    assert all((dialect.title, dialect.when, dialect.who, dialect.source))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.key)
def test_its_gates_name_features_that_it_has(dialect: Dialect) -> None:
    known = dialect.protocol.protocol_features.numbers.keys()
    for row in dialect.protocol.messages:
        assert set(row.gate.protocol) <= known, row
        assert set(row.gate.virtio) <= VIRTIO_FEATURES.numbers.keys()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.key)
def test_its_feature_words_have_its_names(dialect: Dialect) -> None:
    fields = [
        field
        for row in dialect.protocol.messages
        for layout in (*row.request, *row.reply)
        for field in layout.fields
        if field.bits is not None and field.bits.name == "protocol features"
    ]

    assert all(field.bits is dialect.protocol.protocol_features for field in fields)


@pytest.mark.parametrize(
    ("dialect", "row"), rows(), ids=lambda value: getattr(value, "key", getattr(value, "name", ""))
)
def test_a_row_of_its_own_agrees_with_itself(dialect: Dialect, row: Row) -> None:
    unanswered = (Answer.ON_REQUEST, Answer.NEVER, Answer.IF_REPLY_ALL)
    assert bool(row.reply) is (row.answer not in unanswered)
    assert row.fds.least <= row.fds.most
    assert row.summary.endswith(".")
    assert str(row.since)
    assert row.source
    for layout in (*row.request, *row.reply):
        names = [part.name for field in layout.fields for part in (field.parts or (field,))]
        assert len(set(names)) == len(names)


def test_the_differences_of_two_dialects_distinguish_them() -> None:
    messages, bits = named("crosvm-2022").differences(named("crosvm-2023"))

    assert messages == ((FRONT, 42), (FRONT, 43), (FRONT, 44), (FRONT, 45), (BACK, 13))
    assert bits == (17, 31)


def test_a_dialect_does_not_differ_from_itself() -> None:
    assert named("mst-2015").differences(named("mst-2015")) == ((), ())


class TestMeaning:
    """What sizes do not show."""

    def test_rust_vmm_counts_the_flags_of_the_configuration_from_one(self) -> None:
        row = named("rust-cfgflags").protocol.request(FRONT, 25)
        assert row is not None

        assert row.request[0].fields[2].choices[1] == "writable"
        assert row.request[0].fields[2].choices[2] == "live migration"

    def test_the_pipe_of_user_mode_linux_is_a_channel_with_answers(self) -> None:
        protocol = named("uml-pipe").protocol
        row = protocol.request(FRONT, 21)
        assert row is not None

        assert (row.fds.kind, row.opens) == (FdKind.SOCKET, Channel.BACKEND)
        assert Answer.NEVER not in {row.answer for row in protocol.channel(BACK)}

    def test_the_xen_front_end_has_no_postcopy_and_no_memory_slots(self) -> None:
        protocol = named("xen-rfc").protocol

        assert [protocol.request(FRONT, number) for number in (28, 29, 30, 36, 37, 38)] == [None] * 6

    def test_a_deviating_form_is_as_good_as_the_specified_one(self) -> None:
        rows = named("size-variants").protocol.messages

        assert not any(layout.deviation for row in rows for layout in (*row.request, *row.reply))

    def test_the_first_configuration_space_needed_no_feature(self) -> None:
        protocol = named("config-rfc").protocol
        gates = {row.name: row.gate.protocol for row in protocol.messages if "CONFIG" in row.name}

        assert gates == {"GET_CONFIG": (), "SET_CONFIG": (), "CONFIG_CHANGE_MSG": ("BACKEND_REQ",)}

    def test_before_there_were_acknowledgements_nothing_was_acknowledged(self) -> None:
        assert {row.answer for row in named("v1-base").protocol.messages} == {Answer.ALWAYS, Answer.NEVER}
