"""The relay: sockets, clocks, and the recording of what passes."""
