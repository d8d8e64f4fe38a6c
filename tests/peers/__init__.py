"""Real front-ends and back-ends, and the situations that they are recorded in.

`processes` starts and ends programs, `guest` boots a small Linux, `daemons` knows the back-ends' command lines,
`proxy` puts `vuproxy` in the middle, `situations` puts them together. What a capture must mean stands in `meaning`.
`captures/make.py` makes the committed captures with the same code.
"""
