"""A test kit for scripts: what a script makes of a conversation, without sockets.

assert answers(Script("caps", on_message), "F>B SET_VRING_NUM ring 0 num 512") == ["set num=256"]
"""

from vudissect.conversation.text import read_conversation
from vudissect.faults.script import Script
from vudissect.session.session import Session


def answers(script: Script, conversation: str) -> list[str]:
    """The answers of a script to the messages of a conversation (docs/conversation.md), "" for none.

    The conversation is not changed by them. Errors of the script are raised.
    """
    events = Session().events(read_conversation(conversation).records)
    return [script.ask(event) if script.wanted(event) else "" for event in events if event.message is not None]
