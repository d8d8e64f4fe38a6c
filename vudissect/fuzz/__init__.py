"""Fuzzing: recorded sessions, changed by knowledge of the message table, played until something breaks.

`steps` is what a session consists of, `seeds` where sessions come from, `mutate` and the other modules of mutations
change them,
`play` plays one, `coverage` is what the program shows of its code, `finding` says what is wrong, `minimise` makes it
short, `corpus` keeps what was new, `files` writes it down, `fuzzer` is the loop. `target` is what the loop needs of a
program, `back_end` is one.
"""
