"""Conversations written by hand, in Python or as text that reads like a transcript, made into captures. No I/O."""
