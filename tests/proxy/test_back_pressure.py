"""Peers that do not read: the other direction continues, memory stays bounded, the relay does not spin."""

import os
import select
import struct
import time
from pathlib import Path

from tests.proxy.harness import Peer, conversation, in_background, message
from vudissect.capture.record import Mark, RecordKind

NUM = message("SET_VRING_NUM", bytes(8))
KICK = message("SET_VRING_KICK", bytes(8))
FEATURES = message("GET_FEATURES")
REPLY = message("GET_FEATURES", bytes(8), flags=5)


def stuff(peer: Peer, data: bytes = NUM) -> int:
    """Write until nothing more is accepted for some time; returns the number of messages."""
    peer.socket.setblocking(False)
    sent = 0
    while select.select([], [peer.socket], [], 0.2)[1]:
        try:
            assert peer.socket.send(data) == len(data)
        except BlockingIOError:
            continue
        sent += 1
    peer.socket.settimeout(20)
    return sent


def send_all(peer: Peer, messages: list[bytes]) -> None:
    for data in messages:
        peer.send(data)


def test_a_peer_that_never_reads_does_not_stop_the_other_direction(tmp_path: Path) -> None:
    with conversation(tmp_path) as (_, front, back):
        stuff(front)
        for _ in range(100):
            back.send(REPLY)
            assert front.receive() == (REPLY, [])


def test_queued_messages_arrive_complete_and_in_order(tmp_path: Path) -> None:
    numbered = [message("SET_VRING_NUM", struct.pack("=II", number, 0)) for number in range(20_000)]
    with (
        conversation(tmp_path) as (relay, front, back),
        in_background(lambda: send_all(front, numbered)),
    ):
        # Far more than the sockets hold.
        assert back.receive_all(20 * len(numbered)) == b"".join(numbered)
    assert [record.data for record in relay.messages] == numbered


def test_a_relay_that_is_blocked_sleeps(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, _):
        stuff(front)
        before = relay.processor_time()
        time.sleep(0.3)
        assert relay.processor_time() - before < 0.1


def test_the_sender_closes_while_the_receiver_does_not_read(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        sent = stuff(front)
        front.close()
        before = relay.processor_time()
        time.sleep(0.2)
        assert relay.processor_time() - before < 0.1
        assert back.receive_to_end() == NUM * sent
    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details == {"by": "front-end", "how": "eof", "undelivered": 0}
    assert len(relay.messages) == sent


def test_the_receiver_closes_without_having_read(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        sent = stuff(front)
        back.close()
        assert front.at_end()
    assert len(relay.messages) == sent
    not_forwarded = [record for record in relay.messages if record.marks & Mark.NOT_FORWARDED]
    assert not_forwarded
    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details == {"by": "back-end", "how": "reset", "undelivered": len(NUM) * len(not_forwarded)}


def test_both_peers_only_write_for_a_while(tmp_path: Path) -> None:
    """As QEMU and a back-end do when they pipeline; a relay that waits for one of them would hang both."""
    with conversation(tmp_path) as (_, front, back):
        stuff(front)
        stuff(back)
        with in_background(lambda: front.receive_all(10 * len(REPLY))):
            back.receive_all(10 * len(NUM))


def test_pipelined_traffic_in_both_directions_at_once(tmp_path: Path) -> None:
    count = 20_000

    def talk(peer: Peer, data: bytes) -> None:
        for _ in range(count):
            peer.send(data)

    with (
        conversation(tmp_path) as (relay, front, back),
        in_background(lambda: talk(front, NUM)),
        in_background(lambda: talk(back, REPLY)),
        in_background(lambda: front.receive_all(count * len(REPLY))),
    ):
        assert back.receive_all(count * len(NUM)) == NUM * count
    assert len(relay.messages) == 2 * count


def test_descriptors_are_queued_with_their_messages(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with conversation(tmp_path) as (_, front, back):
        sent = stuff(front)
        with in_background(lambda: front.send(KICK, writing)):
            assert back.receive_all(sent * len(NUM)) == NUM * sent
            data, fds = back.receive()
        assert (data, len(fds)) == (KICK, 1)
        os.write(fds[0], b"x")
        assert os.read(reading, 1) == b"x"


def test_a_message_that_claims_four_gibibytes_does_not_fill_the_memory(tmp_path: Path) -> None:
    size = 64 << 20
    header = struct.pack("=III", 8, 1, 0xFFFF_FFFF)

    def send() -> None:
        front.send(header)
        for _ in range(size >> 20):
            front.send(bytes(1 << 20))
        front.close()

    with conversation(tmp_path) as (relay, front, back):
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = peak_memory()
        with in_background(send):
            received = 0
            while data := back.socket.recv(1 << 20):
                received += len(data)
        assert received == len(header) + size
        assert peak_memory() - before < 16 << 20
    (record,) = relay.messages
    assert record.length == len(header) + size


def peak_memory() -> int:
    """Peak resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10
