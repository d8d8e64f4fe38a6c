"""Fuzzing: recorded sessions, changed by knowledge of the message table, played until something breaks.

`steps` is what a session consists of, `lines` writes it as text, `seeds` is where sessions come from. `coverage` is
what the program shows of its code, `finding` says what is wrong, `minimise` makes it short, `corpus` keeps what was
new, `files` writes it down, `fuzzer` is the loop, and `target` what the loop needs of a program.

One target is a `back_end`: `play` plays sessions with it, `mutate` and the modules that it
uses change them. The other one is a `front_end`: `serve` plays sessions with it, `answer_mutations` changes them.
"""
