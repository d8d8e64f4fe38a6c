"""The channel on which the back-end asks."""

from vudissect.check.cases.front_end.meanings import HARMLESS, NOTICED_BY_CUSTOM, TOLERATED
from vudissect.check.model import Case

_CHANNEL = ("BACKEND_REQ",)
_CONFIG_CHANGE = ("BACKEND_REQ", "CONFIG")
_ACKNOWLEDGED = "VHOST_USER_PROTOCOL_F_REPLY_ACK: also on the channel of the back-end"
_NO_TEXT = "no text on what a front-end does with it; the main connection is not concerned"

CASES = (
    Case(
        "F-20",
        "SET_BACKEND_REQ_FD is refused",
        "The front-end gives up, or does without the channel.",
        "VHOST_USER_SET_BACKEND_REQ_FD; no text on what follows from a failure",
        """
        F>B SET_BACKEND_REQ_FD
        ? * acknowledge with 1
        """,
        rules=("VU-RPL-05",),
        meanings=TOLERATED,
        needs=_CHANNEL,
        ours_perhaps=("VU-RPL-05",),
    ),
    Case(
        "F-21",
        "SET_BACKEND_REQ_FD is not acknowledged",
        "The front-end gives up after some time, or can at least be ended.",
        "no text: there is no time limit for an answer",
        """
        F>B SET_BACKEND_REQ_FD
        ? * do not acknowledge
        """,
        rules=("VU-RPL-04",),
        meanings=NOTICED_BY_CUSTOM,
        needs=_CHANNEL,
        ours_perhaps=("VU-RPL-04", "VU-RPL-01", "VU-RPL-11"),
    ),
    Case(
        "F-30",
        "1000 CONFIG_CHANGE_MSG come at once",
        "The front-end reads the configuration as often as it likes, and goes on.",
        "VHOST_USER_BACKEND_CONFIG_CHANGE_MSG",
        """
        * it runs
        ? * 1000 times on the channel: CONFIG_CHANGE_MSG
        """,
        rules=("VU-CFG-06",),
        meanings=HARMLESS,
        needs=_CONFIG_CHANGE,
    ),
    Case(
        "F-31",
        "an unknown message on the channel asks for an acknowledgement",
        "It is acknowledged with a failure, or the channel is closed. The main connection goes on.",
        _ACKNOWLEDGED,
        """
        * it runs
        ? B>F backend: bytes 63 00 00 00 09 00 00 00 00 00 00 00
        * the channel acknowledges with a failure
        """,
        rules=("VU-BEC-01",),
        meanings=HARMLESS,
        needs=(*_CHANNEL, "REPLY_ACK"),
        ours_perhaps=("VU-HDR-01", "VU-BEC-01"),
    ),
    Case(
        "F-32",
        "an IOTLB message on the channel has a type and a permission that do not exist",
        "The front-end refuses it; the main connection goes on.",
        "VHOST_USER_BACKEND_IOTLB_MSG: types 1 to 4",
        """
        * it runs
        ? B>F backend: IOTLB_MSG iova=0xffffffffffffffff size=0xffffffffffffffff user_addr=0 perm=9 type=77
        """,
        rules=("VU-IOT-02",),
        meanings=TOLERATED,
        needs=_CHANNEL,
        ours_perhaps=("VU-IOT-01", "VU-IOT-02", "VU-NEG-06"),
    ),
    Case(
        "F-33",
        "a mapping of shared memory is beyond the end of its region",
        "It is refused, or the channel is closed; the main connection goes on.",
        "VHOST_USER_BACKEND_SHMEM_MAP: within the region",
        """
        * offer also SHMEM BACKEND_SEND_FD
        * it runs
        * it acknowledges SHMEM
        ? B>F backend: SHMEM_MAP shmid=0 fd_offset=0 shm_offset=0x100000 len=4K mem#map (memfd map 64K) need_reply
        * the channel acknowledges with a failure
        """,
        rules=("VU-SHM-01",),
        meanings=HARMLESS,
        needs=(*_CHANNEL, "REPLY_ACK"),
        ours=("VU-SHM-01",),
    ),
    Case(
        "F-39",
        "CONFIG_CHANGE_MSG comes while the front-end waits for the answer to GET_CONFIG",
        "The front-end handles both.",
        "no text: the two sockets are independent of each other",
        """
        F>B SET_BACKEND_REQ_FD
        F>B GET_CONFIG
        B>F backend: CONFIG_CHANGE_MSG
        ? * answer
        """,
        rules=("VU-RPL-10",),
        meanings=HARMLESS,
        needs=_CONFIG_CHANGE,
    ),
    Case(
        "F-52",
        "the channel is closed",
        "The main connection goes on.",
        _NO_TEXT,
        """
        * it runs
        ? * close the channel
        """,
        rules=("VU-BEC-02",),
        meanings=TOLERATED,
        needs=_CHANNEL,
        ours_perhaps=("VU-BEC-02",),
    ),
    Case(
        "F-53",
        "a message on the channel announces 4 GiB",
        "The front-end closes the channel, or the connection.",
        _NO_TEXT,
        """
        * it runs
        ? B>F backend: bytes 02 00 00 00 01 00 00 00 ff ff ff ff
        """,
        rules=("VU-HDR-08",),
        meanings=TOLERATED,
        needs=_CHANNEL,
        ours_perhaps=("VU-HDR-08", "VU-HDR-07", "VU-CFG-06"),
    ),
    Case(
        "F-54",
        "5 bytes of a header come on the channel, and no more",
        "The main connection goes on.",
        _NO_TEXT,
        """
        * it runs
        ? B>F backend: bytes 02 00 00 00 01
        """,
        rules=("VU-HDR-07",),
        meanings=TOLERATED,
        needs=_CHANNEL,
        ours_perhaps=("VU-HDR-07", "VU-CFG-06"),
    ),
    Case(
        "F-55",
        "a header comes on the channel, and its payload does not",
        "The main connection goes on.",
        _NO_TEXT,
        """
        * it runs
        ? B>F backend: bytes 03 00 00 00 01 00 00 00 18 00 00 00
        """,
        rules=("VU-HDR-07",),
        meanings=TOLERATED,
        needs=_CHANNEL,
        ours_perhaps=("VU-HDR-07", "VU-NEG-06"),
    ),
    Case(
        "F-56",
        "CONFIG_CHANGE_MSG asks for an acknowledgement",
        "It is acknowledged with 0.",
        _ACKNOWLEDGED,
        """
        * it runs
        ? B>F backend: CONFIG_CHANGE_MSG need_reply
        * the channel acknowledges with 0
        """,
        rules=("VU-BEC-01",),
        meanings=HARMLESS,
        needs=(*_CONFIG_CHANGE, "REPLY_ACK"),
    ),
    Case(
        "F-57",
        "CONFIG_CHANGE_MSG does not ask for an acknowledgement",
        "It is not acknowledged: a message after it, which does ask, is.",
        _ACKNOWLEDGED,
        """
        * it runs
        ? B>F backend: CONFIG_CHANGE_MSG
        B>F backend: bytes 63 00 00 00 09 00 00 00 00 00 00 00
        * only message 99 on the channel is acknowledged
        """,
        rules=("VU-BEC-01",),
        meanings=HARMLESS,
        needs=(*_CONFIG_CHANGE, "REPLY_ACK"),
        ours_perhaps=("VU-HDR-01", "VU-BEC-01"),
    ),
    Case(
        "F-58",
        "a message on the channel is marked as an answer",
        "The front-end ignores or refuses it; the main connection goes on.",
        "Header: bit 2 is the reply flag",
        """
        * it runs
        ? B>F backend: CONFIG_CHANGE_MSG header_flags=0x5
        """,
        rules=("VU-HDR-03",),
        meanings=TOLERATED,
        needs=_CONFIG_CHANGE,
        ours_perhaps=("VU-HDR-03", "VU-RPL-12"),
    ),
    Case(
        "F-59",
        "VRING_HOST_NOTIFIER_MSG is about ring 200, though HOST_NOTIFIER is not negotiated",
        "It is refused, or the channel is closed; the main connection goes on.",
        "VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG: only with VHOST_USER_PROTOCOL_F_HOST_NOTIFIER",
        """
        * it runs
        ? B>F backend: VRING_HOST_NOTIFIER_MSG index=200 size=4096 offset=0 need_reply
        * the channel acknowledges with a failure
        """,
        rules=("VU-NEG-06", "VU-VRG-01"),
        meanings=HARMLESS,
        needs=(*_CHANNEL, "REPLY_ACK", "without HOST_NOTIFIER"),
        ours_perhaps=("VU-NEG-06", "VU-VRG-01", "VU-FD-02", "VU-FD-03"),
    ),
    Case(
        "F-78",
        "SHARED_OBJECT_LOOKUP of a UUID that nobody has added",
        "It is answered with a failure, or the channel is closed; the main connection goes on.",
        "VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP: the result is not 0 if there is no such object",
        """
        * offer also SHARED_OBJECT
        * it runs
        * it acknowledges SHARED_OBJECT
        ? B>F backend: SHARED_OBJECT_LOOKUP uuid=01234567-89ab-cdef-0123-456789abcdef
        * the channel acknowledges with a failure
        """,
        rules=("VU-SHO-02",),
        meanings=HARMLESS,
        needs=_CHANNEL,
    ),
)
