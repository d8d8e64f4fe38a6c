"""Whatever the live peer says: the replay ends, says what was different, and leaves nothing behind."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.replay.talks import HANG_UP, records_of
from tests.replay.test_player import CHANNEL
from vudissect.render.replay import outcome_json, report
from vudissect.render.style import Style
from vudissect.replay import InMemory, Options, Parcel, Side, replay, script_of

RECORDS = records_of(*CHANNEL)
SAID = [record.data for record in RECORDS if record.data]

headers = st.tuples(st.integers(0, 50), st.sampled_from([1, 5, 9, 13, 0, 0xFFFFFFFF]), st.binary(max_size=64))
messages = st.one_of(
    st.binary(min_size=1, max_size=80),
    headers.map(
        lambda parts: (
            parts[0].to_bytes(4, "little")
            + parts[1].to_bytes(4, "little")
            + len(parts[2]).to_bytes(4, "little")
            + parts[2]
        )
    ),
    st.sampled_from(SAID),
    st.just(b""),
)


def answering(script: list[list[bytes]]) -> Callable[[Parcel], list[Parcel]]:
    turns = iter(script)
    return lambda _: [Parcel(data) if data else HANG_UP for data in next(turns, [])]


@pytest.mark.parametrize("side", [Side.FRONT_END, Side.BACK_END], ids=["as front-end", "as back-end"])
@pytest.mark.parametrize("keep_going", [False, True])
@settings(max_examples=150)
@given(first=st.lists(messages, max_size=3), turns=st.lists(st.lists(messages, max_size=3), max_size=8))
def test_a_peer_that_says_anything(side: Side, keep_going: bool, first: list[bytes], turns: list[list[bytes]]) -> None:
    peer = InMemory(answering(turns), [Parcel(data) if data else HANG_UP for data in first])
    script = script_of(RECORDS, side)

    outcome = replay(script, peer, None, Options(timeout=0.01, keep_going=keep_going))

    text = "\n".join(report(outcome, "talk", Style(False)))
    assert outcome.ok == ("no difference" in text)
    assert outcome_json(outcome, "talk")
    # Every message of the recording was played, or is told of.
    assert len(outcome.unplayed) + outcome.sent + outcome.received - outcome.unmatched >= len(script.messages)


def test_nothing_is_left_of_a_replay_that_failed() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    for _ in range(5):
        replay(script_of(RECORDS, Side.FRONT_END), InMemory(answering([[b"garbage"]])), None, Options(timeout=0.01))

    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)
