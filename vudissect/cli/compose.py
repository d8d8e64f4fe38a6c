"""`vudissect compose`: a capture from a conversation written as text."""

import click

from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import clear_errors, fail
from vudissect.cli.lines import lines_of
from vudissect.cli.written import refuse_terminal, write_capture, write_option
from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.text import read_conversation


@click.command(
    "compose",
    cls=Command,
    examples=[
        ("What the rules think of a conversation", "vudissect compose talk.vu | vudissect lint -"),
        ("A capture for a test", "vudissect compose -w talk.pcapng talk.vu"),
    ],
)
@click.argument("file", type=FILE)
@write_option()
def command(file: str, output: str) -> None:
    """Create a capture from the conversation in FILE (- for standard input).

    A conversation is text that reads like a transcript of vudissect show: one message per line.
    """
    with clear_errors(file):
        try:
            talk = read_conversation(lines_of(file))
            capture = talk.capture()
        except ConversationError as error:
            fail(f"{file}: {error}")
    if not talk.records:
        fail(f"{file}: no messages in this conversation")
    refuse_terminal(output)
    write_capture(output, capture)
