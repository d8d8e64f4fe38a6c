"""The relay: sockets, clocks, and recording."""
