"""Keys pass through the relay and are not in its capture, however the messages arrive."""

import random
import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.keys import FORMS_WITH_KEYS, WithKey, leaked, message_with_key, some_message
from tests.proxy.harness import Peer, RunningRelay, conversation, in_background, message
from tests.proxy.test_program import quiet
from tests.wire.strategies import Form, form_name, values
from vudissect.capture.record import Mark
from vudissect.protocol.model import Side

NUM = message("SET_VRING_NUM", bytes(8))
REQUESTS = [form for form in FORMS_WITH_KEYS if not form.reply]


def send_in_pieces(sender: Peer, data: bytes, dice: random.Random) -> None:
    while data:
        size = dice.choice((1, 3, 12, 100, 700, 5000))
        sender.send_and_see_it_read(data[:size])
        data = data[size:]


def leaked_from(relay: RunningRelay, *messages: WithKey) -> set[bytes]:
    keys = tuple(key for each in messages for key in each.keys)
    return leaked(keys, b"".join(record.data for record in relay.messages))


@settings(max_examples=10)
@given(data=st.data(), order=st.sampled_from("<>"), seed=st.integers(0, 1 << 32))
def test_split_and_glued(data: st.DataObject, order: str, seed: int) -> None:
    forms = data.draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=4))
    dice = random.Random(seed)
    said = [message_with_key(form, data.draw(values(form.layout)), order, dice.getrandbits(32)) for form in forms]
    stream = b"".join(message("GET_FEATURES", order=order) + each.data for each in said)

    with TemporaryDirectory() as folder, conversation(Path(folder)) as (relay, front, back):
        send_in_pieces(front, stream, dice)
        assert back.receive_all(len(stream)) == stream

    assert leaked_from(relay, *said) == set()
    assert [bool(record.marks & Mark.KEYS_MASKED) for record in relay.messages] == [False, True] * len(said)


@pytest.mark.parametrize("form", FORMS_WITH_KEYS, ids=form_name)
def test_many_in_one_write(form: Form, tmp_path: Path) -> None:
    sender = Side.BACK_END if form.reply else Side.FRONT_END
    said = [some_message(form, "<", seed) for seed in range(20)]
    stream = b"".join(each.data for each in said)

    with conversation(tmp_path) as (relay, *peers):
        peers[sender].send(stream)
        assert peers[1 - sender].receive_all(len(stream)) == stream

    assert leaked_from(relay, *said) == set()
    assert [record.length for record in relay.messages] == [len(each.data) for each in said]


@pytest.mark.parametrize("form", REQUESTS, ids=form_name)
def test_a_peer_that_hangs_up_midway(form: Form, tmp_path: Path) -> None:
    said = some_message(form, "<", 1)

    with conversation(tmp_path) as (relay, front, back):
        front.send(said.data[:400])
        front.close()
        assert back.receive_to_end() == said.data[:400]

    (record,) = relay.messages
    assert record.marks & Mark.CUT_SHORT
    assert leaked(said.keys, record.data) == set()


@pytest.mark.parametrize("snaplen", [12, 100, 65536, 1 << 18])
def test_a_message_too_long_to_be_held(snaplen: int, tmp_path: Path) -> None:
    said = some_message(REQUESTS[0], "<", 1)
    data = said.data[:8] + struct.pack("<I", 200_000) + (said.data[12:] * 200)[:200_000]

    with conversation(tmp_path, snaplen=snaplen) as (relay, front, back):
        with in_background(lambda: front.send(data)):
            assert back.receive_all(len(data)) == data
        front.send(NUM)
        assert back.receive_all(len(NUM)) == NUM

    assert [record.length for record in relay.messages] == [len(data), len(NUM)]
    assert leaked_from(relay, said) == set()


@pytest.mark.parametrize("options", [(), ("--keep-keys",)])
def test_the_program_keeps_keys_only_on_request(options: tuple[str, ...], tmp_path: Path) -> None:
    said = some_message(REQUESTS[0], "<", 1)

    with quiet(tmp_path, *options) as program:
        front, back = program.connect()
        front.send(said.data)
        assert back.receive_all(len(said.data)) == said.data
        program.end()

    (record,) = program.messages()
    assert bool(leaked(said.keys, record.data)) is bool(options)
    assert bool(record.marks & Mark.KEYS_MASKED) is not bool(options)
