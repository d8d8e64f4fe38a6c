"""The device status."""

from vudissect.check.model import EITHER, Case

_GET = "VHOST_USER_GET_STATUS"

CASES = (
    Case(
        "STA-01",
        "SET_STATUS, then GET_STATUS",
        "What was written is read back.",
        _GET,
        """
        * negotiate with STATUS
        F>B SET_STATUS ACKNOWLEDGE DRIVER
        F>B GET_STATUS
        B>F GET_STATUS status=ACKNOWLEDGE|DRIVER
        """,
        rules=("VU-STA-01",),
        needs=("STATUS",),
    ),
    Case(
        "STA-02",
        "GET_STATUS though STATUS is not offered",
        "It is answered or refused.",
        f"{_GET}; no text on what a back-end does without",
        """
        * negotiate
        ? F>B GET_STATUS
        """,
        rules=("VU-NEG-06",),
        meanings=EITHER,
        needs=("without STATUS",),
        ours=("VU-NEG-06",),
        ours_perhaps=("VU-DRF-07",),
    ),
)
