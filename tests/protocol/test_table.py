"""The message table compared with the numbers of the specification, and its consistency."""

import pytest

from vudissect.protocol.devices import DEVICES
from vudissect.protocol.features import GPU_FEATURES, PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Answer, Channel, Layout, Row
from vudissect.protocol.table import UPSTREAM

# Sizes of requests and explicit replies according to the specification and QEMU's structures: (request, reply).
MAIN = {
    1: ("GET_FEATURES", "0", "8"),
    2: ("SET_FEATURES", "8", ""),
    3: ("SET_OWNER", "0", ""),
    4: ("RESET_OWNER", "0", ""),
    5: ("SET_MEM_TABLE", "8 + 32 x nregions", "8 + 32 x nregions"),
    6: ("SET_LOG_BASE", "16", "8"),
    7: ("SET_LOG_FD", "0", ""),
    8: ("SET_VRING_NUM", "8", ""),
    9: ("SET_VRING_ADDR", "40", ""),
    10: ("SET_VRING_BASE", "8", ""),
    11: ("GET_VRING_BASE", "8", "8"),
    12: ("SET_VRING_KICK", "8", ""),
    13: ("SET_VRING_CALL", "8", ""),
    14: ("SET_VRING_ERR", "8", ""),
    15: ("GET_PROTOCOL_FEATURES", "0", "8"),
    16: ("SET_PROTOCOL_FEATURES", "8", ""),
    17: ("GET_QUEUE_NUM", "0", "8"),
    18: ("SET_VRING_ENABLE", "8", ""),
    19: ("SEND_RARP", "8", ""),
    20: ("NET_SET_MTU", "8", ""),
    21: ("SET_BACKEND_REQ_FD", "0", ""),
    22: ("IOTLB_MSG", "32", "8"),
    23: ("SET_VRING_ENDIAN", "8", ""),
    24: ("GET_CONFIG", "12 + size", "12 + size"),
    25: ("SET_CONFIG", "12 + size", ""),
    26: ("CREATE_CRYPTO_SESSION", "1072", "1072"),
    27: ("CLOSE_CRYPTO_SESSION", "8", ""),
    28: ("POSTCOPY_ADVISE", "0", "0"),
    29: ("POSTCOPY_LISTEN", "0", ""),
    30: ("POSTCOPY_END", "0", "8"),
    31: ("GET_INFLIGHT_FD", "24", "24"),
    32: ("SET_INFLIGHT_FD", "24", ""),
    33: ("GPU_SET_SOCKET", "0", ""),
    34: ("RESET_DEVICE", "0", ""),
    35: ("VRING_KICK", "8", ""),
    36: ("GET_MAX_MEM_SLOTS", "0", "8"),
    37: ("ADD_MEM_REG", "40", "40"),
    38: ("REM_MEM_REG", "40", ""),
    39: ("SET_STATUS", "8", ""),
    40: ("GET_STATUS", "0", "8"),
    41: ("GET_SHARED_OBJECT", "16", "0"),
    42: ("SET_DEVICE_STATE_FD", "8", "8"),
    43: ("CHECK_DEVICE_STATE", "0", "8"),
    44: ("GET_SHMEM_CONFIG", "0", "2056"),
    45: ("GET_VRING_BASE_SKIP_DRAIN", "8", "8"),
}
BACKEND = {
    1: ("IOTLB_MSG", "32", ""),
    2: ("CONFIG_CHANGE_MSG", "0", ""),
    3: ("VRING_HOST_NOTIFIER_MSG", "24", ""),
    4: ("VRING_CALL", "8", ""),
    5: ("VRING_ERR", "8", ""),
    6: ("SHARED_OBJECT_ADD", "16", ""),
    7: ("SHARED_OBJECT_REMOVE", "16", ""),
    8: ("SHARED_OBJECT_LOOKUP", "16", "8"),
    9: ("SHMEM_MAP", "40", ""),
    10: ("SHMEM_UNMAP", "40", ""),
}
GPU = {
    1: ("GET_PROTOCOL_FEATURES", "0", "8"),
    2: ("SET_PROTOCOL_FEATURES", "8", ""),
    3: ("GET_DISPLAY_INFO", "0", "408"),
    4: ("CURSOR_POS", "12", ""),
    5: ("CURSOR_POS_HIDE", "12", ""),
    6: ("CURSOR_UPDATE", "16404", ""),
    7: ("SCANOUT", "12", ""),
    8: ("UPDATE", "20 + 4 x width x height", ""),
    9: ("DMABUF_SCANOUT", "40", ""),
    10: ("DMABUF_UPDATE", "20", "0"),
    11: ("GET_EDID", "4", "1056"),
    12: ("DMABUF_SCANOUT2", "48", ""),
}
# Messages that, according to the specification, are answered whatever was negotiated.
ALWAYS_ANSWERED = {1, 11, 15, 17, 22, 24, 26, 28, 30, 31, 36, 40, 41, 42, 43, 44, 45}


def layouts() -> dict[str, Layout]:
    found = {}
    for row in UPSTREAM.messages:
        for layout in (*row.request, *row.reply):
            found[layout.key] = layout
            if layout.array is not None:
                found[layout.array.entry.key] = layout.array.entry
    for device in DEVICES:
        found[device.config.key] = device.config
    return found


@pytest.mark.parametrize(
    ("channel", "expected"),
    [(Channel.MAIN, MAIN), (Channel.BACKEND, BACKEND), (Channel.GPU, GPU)],
    ids=["main", "backend", "gpu"],
)
def test_every_message_has_its_number_name_and_sizes(
    channel: Channel, expected: dict[int, tuple[str, str, str]]
) -> None:
    found = {
        row.id: (row.name, row.request[0].size_text, row.reply[0].size_text if row.reply else "")
        for row in UPSTREAM.channel(channel)
    }

    assert found == expected


def test_the_messages_that_are_always_answered_on_the_main_channel() -> None:
    always = {row.id for row in UPSTREAM.channel(Channel.MAIN) if row.answer is Answer.ALWAYS}

    assert always == ALWAYS_ANSWERED


@pytest.mark.parametrize("row", UPSTREAM.messages, ids=lambda row: f"{row.channel.label}-{row.name}")
def test_a_row_agrees_with_itself(row: Row) -> None:
    assert bool(row.reply) is (row.answer not in (Answer.ON_REQUEST, Answer.NEVER))
    assert row.fds.least <= row.fds.most
    assert (row.opens is None) or (row.fds.least == row.fds.most == 1)
    assert row.summary.endswith(".")
    assert row.since.origin == "QEMU"
    assert row.since.numbers
    assert row.source


@pytest.mark.parametrize("row", UPSTREAM.messages, ids=lambda row: f"{row.channel.label}-{row.name}")
def test_a_gate_names_features_that_exist(row: Row) -> None:
    assert set(row.gate.protocol) <= PROTOCOL_FEATURES.numbers.keys()
    assert set(row.gate.virtio) <= VIRTIO_FEATURES.numbers.keys()
    assert set(row.gate.gpu) <= GPU_FEATURES.numbers.keys()


@pytest.mark.parametrize("key", layouts())
def test_no_two_fields_of_a_layout_share_a_name(key: str) -> None:
    layout = layouts()[key]
    names = [part.name for field in layout.fields for part in (field.parts or (field,))]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("SET_MEM_TABLE", [5]),
        ("vhost_user_set_mem_table", [5]),
        ("SET_SLAVE_REQ_FD", [21]),
        ("VHOST_USER_SLAVE_CONFIG_CHANGE_MSG", [2]),
        ("VHOST_USER_GPU_CURSOR_POS", [4]),
        ("SET_VRING_K*", [12]),
        ("41", [41]),
        ("NO_SUCH", []),
    ],
)
def test_a_message_is_found_as_people_write_it(text: str, numbers: list[int]) -> None:
    assert [row.id for row in UPSTREAM.find(text)] == numbers
