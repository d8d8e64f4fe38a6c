"""Real front-ends and back-ends, and the situations that they are recorded in.

`processes` starts and ends programs, `releases` says which Debian they are from (`trixie.sh` makes a tree of the newer
one, `inside.sh` runs a program of it), `guest` boots a small Linux, `daemons` and `testpmd` know the other programs'
command lines, `qmp` asks QEMU's monitor, `proxy` puts `vuproxy` in the middle, `situations` puts them together.
`captures` says what is committed; `captures/make.py` makes it with the same code, and `journal` and `provenance` write
down how. What a capture must mean stands in `meaning`.
"""
