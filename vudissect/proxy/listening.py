"""What a companion that serves over HTTP receives from the relay, which opens the socket for it."""

from typing import Final

LISTENER_FD: Final = 4
"""The number of the listening socket in the other process."""
TOKEN_FD: Final = 5
"""Where it reads the token, if it asks for one: other users can see a command line."""

BACKLOG: Final = 16
