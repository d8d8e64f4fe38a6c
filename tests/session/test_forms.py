"""A session accepts every message of any dialect, whatever its contents."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conversation import Conversation, memfd
from tests.wire.strategies import FORMS, Form, codec, form_name, values
from vudissect.protocol.model import Side
from vudissect.session.event import Kind


@pytest.mark.parametrize("form", FORMS, ids=form_name)
@settings(max_examples=5)
@given(data=st.data())
def test_every_form_is_understood(form: Form, data: st.DataObject) -> None:
    protocol, row, reply, layout = form
    wire = codec(protocol, "little").encode(row, layout, data.draw(values(layout)), reply=reply)
    side = row.initiator if not reply else Side(1 - row.initiator)
    talk = Conversation(protocol=protocol)
    talk.raw(side, wire, row.channel, descriptors=(memfd(),) * row.fds.most)

    (event,) = talk.events()

    assert event.kind is not Kind.MALFORMED
    assert event.message is not None
    assert event.message.row is row
