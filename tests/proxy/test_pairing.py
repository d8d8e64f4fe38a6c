"""Pairing of peers: every combination of roles, sides that are late or never come, one connection after the other."""

import os
import socket
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from tests.proxy.harness import Listener, Peer, call, eventually, in_background, message, relaying
from vudissect.capture.record import Mark, RecordKind
from vudissect.proxy.pairing import Pairing

FEATURES = message("GET_FEATURES")
REPLY = message("GET_FEATURES", bytes(8), flags=5)
LISTEN_FRONT, LISTEN_BACK = "listen:front.sock", "listen:back.sock"
CONNECT_FRONT, CONNECT_BACK = "connect:front.sock", "connect:back.sock"


def talk(front: Peer, back: Peer) -> None:
    """Check that they are connected with each other."""
    token = os.urandom(8)
    asked = message("SET_VRING_NUM", token)
    front.send(asked)
    assert back.receive() == (asked, [])
    back.send(REPLY)
    assert front.receive() == (REPLY, [])


def test_the_relay_listens_for_the_front_end_and_connects_to_the_back_end(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path, LISTEN_FRONT, CONNECT_BACK) as relay:
        talk(call(relay.front_path), listener.accept())


def test_the_relay_connects_to_the_front_end_and_listens_for_the_back_end(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "front.sock")
    with relaying(tmp_path, CONNECT_FRONT, LISTEN_BACK) as relay:
        back = call(relay.back_path)
        talk(listener.accept(), back)


def test_the_relay_connects_to_both(tmp_path: Path) -> None:
    fronts, backs = Listener(tmp_path / "front.sock"), Listener(tmp_path / "back.sock")
    with relaying(tmp_path, CONNECT_FRONT, CONNECT_BACK):
        talk(fronts.accept(), backs.accept())


def test_the_relay_listens_for_both(tmp_path: Path) -> None:
    with relaying(tmp_path, LISTEN_FRONT, LISTEN_BACK) as relay:
        talk(call(relay.front_path), call(relay.back_path))


def test_abstract_sockets(tmp_path: Path) -> None:
    name = f"vudissect-test-{os.getpid()}"
    listener = Listener(f"\0{name}-b")
    with relaying(tmp_path, f"listen:@{name}-f", f"connect:@{name}-b"):
        talk(call(f"\0{name}-f"), listener.accept())


def test_descriptors_that_are_already_connected(tmp_path: Path) -> None:
    front, front_given = socket.socketpair()
    back, back_given = socket.socketpair()
    sides = (f"connect:fd:{front_given.detach()}", f"connect:fd:{back_given.detach()}")
    with relaying(tmp_path, *sides) as relay:
        talk(Peer(front), Peer(back))
        front.close()
        # They cannot be connected again.
        relay.wait()
    assert relay.relay.connections == 1


def test_a_descriptor_that_already_listens(tmp_path: Path) -> None:
    given = socket.socket(socket.AF_UNIX)
    given.bind(os.fspath(tmp_path / "given.sock"))
    given.listen()
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path, f"listen:fd:{given.detach()}", CONNECT_BACK):
        for _ in range(2):
            talk(call(tmp_path / "given.sock"), listener.accept())
    assert (tmp_path / "given.sock").exists()


def test_one_connection_after_the_other(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path) as relay:
        for _ in range(5):
            front, back = call(relay.front_path), listener.accept()
            talk(front, back)
            front.close()
            assert back.at_end()
            back.close()
    assert [record.connection for record in relay.of_kind(RecordKind.CONNECTION_OPENED)] == [1, 2, 3, 4, 5]
    assert [record.connection for record in relay.of_kind(RecordKind.CONNECTION_CLOSED)] == [1, 2, 3, 4, 5]


def test_a_hundred_connections_at_once(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path) as relay:
        pairs = []
        for _ in range(100):
            front = call(relay.front_path)
            pairs.append((front, listener.accept()))
        for front, back in pairs:
            talk(front, back)
        for front, back in reversed(pairs):
            talk(front, back)
    assert len({record.connection for record in relay.messages}) == 100
    assert len(relay.messages) == 400


def test_the_records_of_a_connection_are_numbered_in_order(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path) as relay:
        pairs = [(call(relay.front_path), listener.accept()) for _ in range(3)]
        for _ in range(3):
            for front, back in pairs:
                talk(front, back)
    for connection in (1, 2, 3):
        numbers = [record.sequence for record in relay.records if record.connection == connection]
        assert numbers == list(range(1, 9))


def test_the_peers_are_named(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path) as relay:
        talk(call(relay.front_path), listener.accept())
    (opened,) = relay.of_kind(RecordKind.CONNECTION_OPENED)
    assert opened.details["front_end_pid"] == opened.details["back_end_pid"] == os.getpid()
    assert opened.details["front_end_uid"] == os.getuid()
    assert str(opened.details["back_end_command"]) in Path("/proc/self/comm").read_text()


def test_the_back_end_is_late(tmp_path: Path) -> None:
    with relaying(tmp_path) as relay:
        front = call(relay.front_path)
        front.send(FEATURES)
        eventually(lambda: bool(relay.said))
        back = Listener(tmp_path / "back.sock").accept()
        assert back.receive() == (FEATURES, [])
    assert relay.said == [f"waiting for the back-end at {relay.back_path}"]


def test_the_front_end_is_late_and_the_relay_connects_to_it(tmp_path: Path) -> None:
    with relaying(tmp_path, LISTEN_FRONT, LISTEN_BACK) as relay:
        back = call(relay.back_path)
        back.send(REPLY)
        eventually(lambda: bool(relay.said))
        assert call(relay.front_path).receive() == (REPLY, [])
    assert relay.said == [f"waiting for the front-end at {relay.front_path}"]


def test_both_are_late_and_the_relay_connects_to_both(tmp_path: Path) -> None:
    with relaying(tmp_path, CONNECT_FRONT, CONNECT_BACK) as relay:
        eventually(lambda: len(relay.said) == 2)
        front = Listener(tmp_path / "front.sock").accept()
        front.send(FEATURES)
        back = Listener(tmp_path / "back.sock").accept()
        assert back.receive() == (FEATURES, [])


def test_connecting_peers_are_paired_in_order(tmp_path: Path) -> None:
    with relaying(tmp_path, LISTEN_FRONT, LISTEN_BACK) as relay:
        fronts = [call(relay.front_path) for _ in range(3)]
        backs = [call(relay.back_path) for _ in range(3)]
        for front, back in zip(fronts, backs, strict=True):
            talk(front, back)


def test_a_back_end_that_never_comes(tmp_path: Path) -> None:
    with relaying(tmp_path, wait=0.1) as relay:
        front = call(relay.front_path)
        front.send(FEATURES)
        assert front.at_end()
        # The relay continues to listen.
        listener = Listener(tmp_path / "back.sock")
        talk(call(relay.front_path), listener.accept())
    assert relay.relay.gave_up == 1
    assert relay.relay.connections == 1
    assert relay.said == [f"nobody listens at {relay.back_path}: gave up after 0.1 s (see --wait)"]
    lost, *_ = relay.messages
    assert (lost.data, lost.marks) == (FEATURES, Mark.NOT_FORWARDED)
    closed, _ = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details == {"by": "proxy", "how": "the back-end is not there", "undelivered": len(FEATURES)}


def test_a_front_end_that_closes_before_the_back_end_comes(tmp_path: Path) -> None:
    with relaying(tmp_path) as relay:
        gone = call(relay.front_path)
        gone.send(FEATURES)
        eventually(lambda: bool(relay.said))
        gone.close()
        # A back-end is not bothered with a connection that is over.
        listener = Listener(tmp_path / "back.sock")
        talk(call(relay.front_path), listener.accept())
    closed, _ = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details == {
        "by": "front-end",
        "how": "before its counterpart came",
        "undelivered": len(FEATURES),
    }
    opened, _ = relay.of_kind(RecordKind.CONNECTION_OPENED)
    assert "front_end_pid" in opened.details
    assert "back_end_pid" not in opened.details


def test_nobody_comes_and_the_relay_connects_to_both(tmp_path: Path) -> None:
    with relaying(tmp_path, CONNECT_FRONT, CONNECT_BACK, wait=0.1) as relay:
        relay.wait()
    assert relay.relay.gave_up == 1
    assert relay.relay.connections == 0


def test_the_relay_connects_to_both_again_after_a_connection(tmp_path: Path) -> None:
    fronts, backs = Listener(tmp_path / "front.sock"), Listener(tmp_path / "back.sock")
    with relaying(tmp_path, CONNECT_FRONT, CONNECT_BACK):
        for _ in range(2):
            front, back = fronts.accept(), backs.accept()
            talk(front, back)
            front.close()
            assert back.at_end()
            back.close()


def test_one_side_hangs_up_at_once(tmp_path: Path) -> None:
    fronts = Listener(tmp_path / "front.sock")
    with relaying(tmp_path, CONNECT_FRONT, CONNECT_BACK):
        fronts.accept().close()
        front = fronts.accept()
        talk(front, Listener(tmp_path / "back.sock").accept())


def test_a_reconnecting_front_end_and_a_restarted_back_end(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path) as relay:
        front, back = call(relay.front_path), listener.accept()
        talk(front, back)
        listener.close()
        back.close()
        assert front.at_end()
        front.close()
        front = call(relay.front_path)
        os.unlink(tmp_path / "back.sock")
        with in_background(lambda: front.send(FEATURES)):
            back = Listener(tmp_path / "back.sock").accept()
        assert back.receive() == (FEATURES, [])
    assert relay.relay.connections == 2


def test_once(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path, once=True) as relay:
        front, back = call(relay.front_path), listener.accept()
        talk(front, back)
        # Connections that would not be served are not accepted.
        eventually(lambda: not relay.front_path.exists())
        front.close()
        relay.wait()
        assert back.at_end()


def test_once_and_nobody_comes(tmp_path: Path) -> None:
    with relaying(tmp_path, once=True, wait=0.1) as relay:
        front = call(relay.front_path)
        relay.wait()
        assert front.at_end()
    assert relay.relay.gave_up == 1


def test_a_back_end_that_is_no_stream_socket(tmp_path: Path) -> None:
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagrams.bind(os.fspath(tmp_path / "back.sock"))
    with relaying(tmp_path) as relay:
        assert call(relay.front_path).at_end()
    (said,) = relay.said
    assert f"{relay.back_path}: cannot connect: Protocol wrong type for socket" in said


def test_waiting_peers_are_let_go_at_the_end(tmp_path: Path) -> None:
    with relaying(tmp_path) as relay:
        front = call(relay.front_path)
        eventually(lambda: bool(relay.said))
    assert front.at_end()


def test_the_relay_does_not_call_itself(tmp_path: Path) -> None:
    with relaying(tmp_path) as relay:
        # The name leads here only now, so it could not be refused at the start.
        os.link(relay.front_path, relay.back_path)
        assert call(relay.front_path).at_end()
        relay.back_path.unlink()
        listener = Listener(relay.back_path)
        talk(call(relay.front_path), listener.accept())
    assert relay.said == [
        f"{relay.front_path} and {relay.back_path} are the same socket: each side needs a socket of its own"
    ]
    assert relay.relay.connections == 1


def test_those_that_wait_are_given_up_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = set()
    give_up = Pairing._give_up

    def noting_the_round(pairing: Pairing, *arguments: Any) -> None:
        rounds.add(pairing._round)
        give_up(pairing, *arguments)

    monkeypatch.setattr(Pairing, "_give_up", noting_the_round)
    with relaying(tmp_path, wait=0.1) as relay:
        with relay.busy():
            fronts = [call(relay.front_path) for _ in range(100)]
        for front in fronts:
            assert front.at_end()
    # Two rounds if the first comes just when the time of some is over. With one a round each would hold up the next.
    assert len(rounds) <= 2
    assert relay.relay.gave_up == 100
    assert [text for text in relay.said if "nobody listens" in text] == [
        f"nobody listens at {relay.back_path}: gave up after 0.1 s (see --wait)",
        f"nobody listens at {relay.back_path}: gave up after 0.1 s (see --wait) (10 times so far)",
        f"nobody listens at {relay.back_path}: gave up after 0.1 s (see --wait) (100 times so far)",
    ]


def test_all_that_wait_are_hung_up_on_where_nobody_can_be_called(tmp_path: Path) -> None:
    with relaying(tmp_path) as relay:
        with relay.busy():
            fronts = [call(relay.front_path) for _ in range(3)]
            datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            datagrams.bind(os.fspath(relay.back_path))
        for front in fronts:
            assert front.at_end()
    assert relay.relay.gave_up == 3


def test_a_back_end_is_not_given_to_a_front_end_that_has_left(tmp_path: Path) -> None:
    with relaying(tmp_path, LISTEN_FRONT, LISTEN_BACK) as relay:
        gone = call(relay.front_path)
        eventually(lambda: bool(relay.said))
        with relay.busy():
            back = call(relay.back_path)
            gone.close()
        talk(call(relay.front_path), back)
    assert relay.relay.connections == 1


def test_what_a_front_end_has_said_before_it_left_is_delivered(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path) as relay:
        with relay.busy():
            quick = call(relay.front_path)
            quick.send(FEATURES)
            quick.close()
        assert listener.accept().receive_to_end() == FEATURES


def test_with_once_a_front_end_that_is_given_up_does_not_take_the_turn_of_the_next(tmp_path: Path) -> None:
    with relaying(tmp_path, once=True, wait=2.0) as relay:
        first = call(relay.front_path)
        sleep(1.0)
        second = call(relay.front_path)
        assert first.at_end()
        listener = Listener(tmp_path / "back.sock")
        talk(second, listener.accept())


def test_with_once_nobody_waits_who_will_not_be_served(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path, once=True) as relay:
        with relay.busy():
            front, other = call(relay.front_path), call(relay.front_path)
        talk(front, listener.accept())
        assert other.at_end()


def test_where_both_are_called_the_next_has_all_the_time(tmp_path: Path) -> None:
    fronts = Listener(tmp_path / "front.sock")
    with relaying(tmp_path, CONNECT_FRONT, CONNECT_BACK, wait=1.0) as relay:
        for _ in range(4):
            front = fronts.accept()
            front.send(FEATURES)
            # Together they take longer than one would be waited for.
            sleep(0.4)
            front.close()
        talk(fronts.accept(), Listener(tmp_path / "back.sock").accept())
    assert relay.relay.gave_up == 0


def test_a_descriptor_that_hangs_up_before_its_counterpart_comes(tmp_path: Path) -> None:
    front, given = socket.socketpair()
    with relaying(tmp_path, f"connect:fd:{given.detach()}", CONNECT_BACK) as relay:
        eventually(lambda: bool(relay.said))
        front.close()
        relay.wait()
    assert relay.relay.gave_up == 0
