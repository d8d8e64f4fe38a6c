"""What reading a capture can end with."""


class CaptureError(ValueError):
    """The input is no capture that can be read; the message is one line that names the place and the remedy."""


class TruncatedCapture(CaptureError):  # noqa: N818 - the noun says what it is
    """The input ends within a block, as after a crash of the writer; all records before it have been yielded."""


def damaged(offset: int, what: str) -> CaptureError:
    """The error for a block at byte `offset` of the input that contradicts itself."""
    return CaptureError(f"byte {offset}: {what}: the capture is damaged, only what stands before can be read")
