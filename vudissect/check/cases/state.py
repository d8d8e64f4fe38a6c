"""The state of the device, for migration."""

from vudissect.check.model import REFUSED, Case

_SET = "VHOST_USER_SET_DEVICE_STATE_FD"
_CHECK = "VHOST_USER_CHECK_DEVICE_STATE: must be sent after the whole state was transferred"

CASES = (
    Case(
        "DST-01",
        "the state is saved into a pipe, and checked",
        "Bytes come, then the end of the pipe, and the check is 0.",
        _CHECK,
        """
        * negotiate with DEVICE_STATE
        F>B SET_DEVICE_STATE_FD save stopped pipe#1
        * read the state
        F>B CHECK_DEVICE_STATE
        B>F CHECK_DEVICE_STATE ok
        """,
        rules=("VU-DST-01",),
        needs=("DEVICE_STATE",),
    ),
    Case(
        "DST-02",
        "SET_DEVICE_STATE_FD while a ring runs",
        "It is refused: all rings must be stopped.",
        f"{_SET}: the back-end must be in the suspended state",
        """
        * negotiate with DEVICE_STATE
        * memory
        * start
        * request
        ? F>B SET_DEVICE_STATE_FD save stopped pipe#1
        """,
        rules=("VU-DST-01",),
        meanings=REFUSED,
        needs=("DEVICE_STATE", "data"),
        ours=("VU-DST-01",),
    ),
)
