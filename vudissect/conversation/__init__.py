"""Makes captures of conversations written by hand, in Python or as text that reads like a transcript. No I/O."""
