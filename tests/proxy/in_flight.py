"""More descriptors are in flight than a relay may have open, and they all arrive; run without CAP_SYS_RESOURCE."""

import errno
import os
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.proxy.harness import Peer, conversation, message

LIMIT = 1024
# The kernel checks the number in flight before it adds a message: the last one exceeds the limit.
COUNTS = [100] * (LIMIT // 100) + [253]

KICK = message("SET_VRING_KICK", bytes(8))


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    event = os.eventfd(0)
    refused = 0
    with TemporaryDirectory() as folder, conversation(Path(folder)) as (relay, front, back):
        with relay.busy():
            for count in COUNTS:
                send(front, [event] * count)
            # Now nobody can send any more until somebody receives.
            try:
                front.send(KICK, event)
            except OSError as error:
                refused = error.errno or 0
        assert refused == errno.ETOOMANYREFS, "the limit has not been reached"
        for count in COUNTS:
            data, fds = back.receive()
            assert (data, len(fds)) == (KICK, count)
            for fd in fds:
                os.close(fd)
    assert relay.recorder.descriptors_lost == 0
    print("all arrived")


def send(front: Peer, fds: list[int]) -> None:
    """Retry: other programs of this user may have descriptors in flight for a moment."""
    for _ in range(1000):
        try:
            front.send(KICK, *fds)
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS:
                raise
            time.sleep(0.01)
        else:
            return
    raise SystemExit("too many descriptors of others are in flight")


if __name__ == "__main__":
    main()
