"""Bytes to messages and back: framing, and the codec compiled from the table. No state across messages."""
