"""Messages in a row are encoded together; the result is the same as one by one."""

from hypothesis import given
from hypothesis import strategies as st

from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import Mark
from vudissect.protocol.model import Channel, Side


@given(st.lists(st.binary(max_size=40), max_size=10), st.sampled_from([Mark(0), Mark.GLUED, Mark.NOT_FORWARDED]))
def test_in_a_row_or_one_by_one(messages: list[bytes], marks: Mark) -> None:
    encoder = CaptureEncoder("test", "test", 20, 5_000_000_000)
    together = encoder.messages(7, Channel.BACKEND, Side.BACK_END, 100, 11, 12, messages, marks)
    assert together == [
        encoder.message(7, Channel.BACKEND, Side.BACK_END, 100 + position, 11, 12, data, len(data), marks)
        for position, data in enumerate(messages)
    ]
