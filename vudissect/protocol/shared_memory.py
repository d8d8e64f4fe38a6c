"""How much memory the two sides share for what they never send over a socket: the dirty log and requests in flight.

Source: QEMU docs/interop/vhost-user.rst, "Migration" and "Inflight I/O tracking".
"""

_LOG_PAGE = 4096
_LOG_WORD = 8

_INFLIGHT_HEADER = 16
_INFLIGHT_ENTRY = 16


def log_size(last_address: int) -> int:
    """Bytes of a dirty log that covers writes up to this guest address: whole words of 64 pages."""
    return (last_address // _LOG_PAGE // (8 * _LOG_WORD) + 1) * _LOG_WORD


def inflight_size(queues: int, queue_size: int) -> int:
    """The minimum size of in-flight memory for these split rings; alignment and packed rings need more."""
    return queues * (_INFLIGHT_HEADER + queue_size * _INFLIGHT_ENTRY)
