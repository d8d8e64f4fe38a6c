"""The entries of the dictionary: a module for each program or group of programs, each with its `LINES`."""
