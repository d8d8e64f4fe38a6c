"""`vudissect compose`: a capture from a conversation that was written as text."""

import sys

import click

from vudissect.cli.errors import clear_errors, fail
from vudissect.cli.lines import lines_of
from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.text import read_conversation
from vudissect.host.output import write_private


@click.command("compose")
@click.argument("file")
@click.option("-w", "--write", "output", default="-", metavar="FILE", help="The capture; standard output without it.")
def command(file: str, output: str) -> None:
    """Make a capture from the conversation in FILE (- for standard input).

    A conversation is a text that reads like a transcript of vudissect show: one message a line.
    """
    with clear_errors(file):
        try:
            talk = read_conversation(lines_of(file))
            capture = talk.capture()
        except ConversationError as error:
            fail(f"{file}: {error}")
    if not talk.records:
        fail(f"{file}: nobody says anything in it")
    if output == "-" and sys.stdout.isatty():
        fail("a capture is no text for a terminal: write it to a file with -w")
    with clear_errors(output):
        if output == "-":
            sys.stdout.buffer.write(capture)
            sys.stdout.flush()
        else:
            write_private(output, capture)
