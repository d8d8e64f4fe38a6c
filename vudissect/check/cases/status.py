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
    Case(
        "STA-03",
        "SET_STATUS with FEATURES_OK",
        "It is read back: the features were accepted.",
        f"{_GET}; virtio specification, Device Status Field: the device keeps FEATURES_OK if it accepts the features",
        """
        * negotiate with STATUS
        F>B SET_STATUS ACKNOWLEDGE DRIVER FEATURES_OK
        F>B GET_STATUS
        B>F GET_STATUS status=ACKNOWLEDGE|DRIVER|FEATURES_OK
        """,
        rules=("VU-STA-02",),
        needs=("STATUS",),
    ),
    Case(
        "STA-04",
        "SET_STATUS 0",
        "0 is read back: this is how a driver resets a device.",
        f"{_GET}; virtio specification, Device Status Field: writing 0 resets the device",
        """
        * negotiate with STATUS
        F>B SET_STATUS ACKNOWLEDGE DRIVER
        F>B SET_STATUS status=0
        F>B GET_STATUS
        B>F GET_STATUS status=0
        """,
        rules=("VU-STA-01", "VU-STA-03"),
        needs=("STATUS",),
    ),
    Case(
        "STA-05",
        "GET_STATUS 100 times",
        "The answer is the same each time.",
        f"{_GET}; no text on how often it may be asked for",
        """
        * negotiate with STATUS
        F>B SET_STATUS ACKNOWLEDGE DRIVER
        * the status is 3, 100 times
        """,
        rules=("VU-STA-01",),
        needs=("STATUS",),
    ),
    Case(
        "STA-06",
        "the whole way of a driver with the device status: from ACKNOWLEDGE to DRIVER_OK, a request, and 0",
        "The request is done, and 0 is read back in the end.",
        f"{_GET}; virtio specification, Device Initialization",
        """
        * negotiate with STATUS
        F>B SET_STATUS ACKNOWLEDGE
        F>B SET_STATUS ACKNOWLEDGE DRIVER
        F>B SET_STATUS ACKNOWLEDGE DRIVER FEATURES_OK
        * memory
        * start
        F>B SET_STATUS ACKNOWLEDGE DRIVER FEATURES_OK DRIVER_OK
        * request
        * disable
        * stop
        F>B SET_STATUS status=0
        F>B GET_STATUS
        B>F GET_STATUS status=0
        """,
        rules=("VU-STA-01",),
        needs=("STATUS", "data"),
    ),
)
