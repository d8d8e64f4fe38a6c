"""Errors of reading a capture."""


class CaptureError(ValueError):
    """The input cannot be read as a capture; the text is one line that names the position and the remedy."""


class TruncatedCapture(CaptureError):  # noqa: N818 - the noun says what it is
    """The input ends within a block, as after a crash of the writer; all earlier records have been yielded."""


def damaged(offset: int, what: str) -> CaptureError:
    """The error for a block at byte `offset` of the input that contradicts itself."""
    return CaptureError(f"byte {offset}: {what}: the capture is damaged, only the part before it can be read")
