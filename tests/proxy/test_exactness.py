"""Every byte and every descriptor arrives where it would without a relay, however a sender cuts its writes."""

import os
import random
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.peers.processes import running, wait_for_listener
from tests.proxy.exactness import MOST_DESCRIPTORS, Arrival, Pool, Write, expected, pool, random_writes, receive, send
from tests.proxy.harness import PATIENCE, Listener, Peer, call, conversation, message
from tests.proxy.test_program import quiet
from vudissect.protocol.model import Channel
from vudissect.protocol.table import UPSTREAM

# All numbers in the table and some unknown ones, except messages that open a channel: their descriptor is replaced.
OPENERS = {row.opens: row.name for row in UPSTREAM.messages if row.opens}
ANY_MESSAGE = [*(row.id for row in UPSTREAM.channel(Channel.MAIN) if not row.opens), 1000]


def talk_both_ways(
    peers: tuple[Peer, Peer], scripts: tuple[list[Write], list[Write]], files: Pool
) -> list[list[Arrival]]:
    """Both peers send and receive at once; returns what has arrived of each script."""
    arrived: list[list[Arrival]] = [[], []]

    def receiving(side: int) -> None:
        arrived[side] = receive(peers[1 - side], len(expected(scripts[side])), files)

    threads = [Thread(target=send, args=(peers[side], scripts[side], files)) for side in (0, 1)]
    threads += [Thread(target=receiving, args=(side,)) for side in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "it does not end"
    return arrived


@pytest.fixture(scope="module")
def files() -> Iterator[Pool]:
    with pool() as opened:
        yield opened


@pytest.fixture(scope="module", params=list(Channel), ids=str)
def channel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, Peer]]:
    """The two ends of a channel that runs through a relay."""
    with conversation(tmp_path_factory.mktemp("relay")) as (_, front, back), ExitStack() as stack:
        if request.param is Channel.MAIN:
            yield front, back
            return
        kept, given_away = socket.socketpair()
        front.send(message(OPENERS[request.param]), given_away.fileno())
        given_away.close()
        _, (fd,) = back.receive()
        peers = Peer(stack.enter_context(kept)), Peer(stack.enter_context(socket.socket(fileno=fd)))
        yield peers


@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_everything_arrives_as_without_a_relay(channel: tuple[Peer, Peer], files: Pool, seed: int) -> None:
    scripts = two_scripts(seed)
    assert talk_both_ways(channel, scripts, files) == [expected(script) for script in scripts]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The relay in C that reads message by message, compiled."""
    program = tmp_path_factory.mktemp("reference") / "reference"
    source = Path(__file__).with_name("reference.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-pthread", "-o", program, source], check=True)
    return os.fspath(program)


@pytest.mark.parametrize("seed", range(4))
def test_everything_arrives_as_through_a_relay_that_reads_message_by_message(
    tmp_path: Path, reference: str, files: Pool, seed: int
) -> None:
    scripts = two_scripts(seed, messages=200)
    listener = Listener(tmp_path / "back.sock")
    command = [reference, str(tmp_path / "reference.sock"), str(tmp_path / "back.sock")]
    with running("reference", command, tmp_path) as process:
        wait_for_listener(str(tmp_path / "reference.sock"), process)
        front = call(tmp_path / "reference.sock")
        through_reference = talk_both_ways((front, listener.accept()), scripts, files)
        front.close()
        process.finish()
    listener.close()
    (tmp_path / "back.sock").unlink()
    with conversation(tmp_path, keep_keys=True) as (relay, front, back):
        assert talk_both_ways((front, back), scripts, files) == through_reference
    assert relay.recorder.descriptors_lost == 0
    for side in (0, 1):
        recorded = [(record.data, len(record.descriptors)) for record in relay.messages if record.sender == side]
        assert recorded == [
            (arrival.data, len(arrival.with_header + arrival.with_payload)) for arrival in expected(scripts[side])
        ]


@pytest.mark.soak
def test_a_million_messages(tmp_path: Path, files: Pool) -> None:
    scripts = two_scripts(0, messages=1000, most_files=8)
    wanted = [expected(script) for script in scripts]
    open_descriptors, memory = [], []
    with quiet(tmp_path) as program:
        peers = program.connect()
        for batch in range(500):
            assert talk_both_ways(peers, scripts, files) == wanted
            if batch % 50 == 49:
                open_descriptors.append(len(os.listdir(f"/proc/{program.process.pid}/fd")))
                memory.append(resident(program.process.pid))
        status, _, errors = program.end()
    assert status == 0
    assert errors.count("500000 messages") == 2
    # The queue of the recorder is bounded, and does not grow.
    assert max(open_descriptors) < 300
    assert memory[-1] < 1.1 * memory[0]


def two_scripts(seed: int, messages: int = 30, most_files: int = MOST_DESCRIPTORS) -> tuple[list[Write], list[Write]]:
    chance = random.Random(seed)
    return (
        random_writes(chance, messages, ANY_MESSAGE, most_files),
        random_writes(chance, messages, ANY_MESSAGE, most_files),
    )


def resident(pid: int) -> int:
    """Resident memory of a process, in kibibytes."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])
