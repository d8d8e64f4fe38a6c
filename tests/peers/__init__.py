"""Real front-ends and back-ends, and the situations that they are recorded in.

`processes` starts and ends programs, `releases` has the Debian releases that they come from (`trixie.sh` makes a tree
of the newer one, `inside.sh` runs a program in it), `guest` boots a small Linux, `daemons` and `testpmd` have the
command lines of the other programs, `qmp` is a client for QEMU's monitor, `proxy` runs `vuproxy` between two programs,
and `situations` combines them. `captures` lists the committed captures; `captures/make.py` makes them with the same
code, and `journal` and `provenance` document how. `meaning` has what a capture must contain.
"""
