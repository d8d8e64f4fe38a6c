"""The pipeline may look ahead; nobody must see that by what comes out."""

from collections.abc import Iterator

import pytest

from tests.conversation import Conversation
from tests.peers.captures import CAPTURES, path_of
from tests.session.test_watching import draft
from vudissect.analysis import Analysis, in_runs, read
from vudissect.capture.errors import CaptureError
from vudissect.capture.record import Record, RecordKind
from vudissect.protocol.dialects import UPSTREAM_DIALECT
from vudissect.protocol.model import Channel
from vudissect.protocol.table import UPSTREAM


def iotlb(pages: int) -> Conversation:
    talk = Conversation()
    talk.open()
    for page in range(pages):
        talk.back_end("IOTLB_MSG", Channel.BACKEND, iova=page << 12, perm=3, type=1)
        talk.front_end("IOTLB_MSG", iova=page << 12, size=4096, perm=3, type=2)
    return talk


@pytest.mark.parametrize("name", CAPTURES)
def test_looking_ahead_finds_the_same(name: str) -> None:
    step_by_step, ahead = (Analysis(read(path_of(name))) for _ in range(2))

    assert list(in_runs(ahead.ahead())) == list(step_by_step)
    assert ahead.finish() == step_by_step.finish()


def test_it_looks_ahead_in_steady_traffic() -> None:
    taken = []

    def records() -> Iterator[Record]:
        for record in iotlb(pages=200).records:
            taken.append(record.frame)
            yield record

    ahead = Analysis(records(), dialect=UPSTREAM_DIALECT).ahead()

    assert max(taken[-1] - event.record.frame for event, _ in ahead) > 50


def test_it_does_not_where_the_dialect_changes() -> None:
    analysis = Analysis([*iotlb(pages=100).records, *draft().records])

    for event, _ in in_runs(analysis.ahead()):
        if event.after.protocol is not UPSTREAM:
            assert analysis.session.states[event.after.number] == event.after
            break
    else:
        pytest.fail("no change")


def test_what_came_before_the_damage_in_a_capture_is_still_there() -> None:
    records = iotlb(pages=300).records

    def damaged() -> Iterator[Record]:
        yield from records
        raise CaptureError("it is damaged")

    seen: list[Record] = []
    with pytest.raises(CaptureError):
        seen.extend(event.record for event, _ in in_runs(Analysis(damaged()).ahead()))

    assert seen == records


def test_it_counts_messages_and_not_what_the_proxy_recorded_besides() -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER")
    talk.front_end("GET_FEATURES")
    talk.event(RecordKind.CONNECTION_CLOSED)

    assert Analysis(talk.records).lint().messages == 2
