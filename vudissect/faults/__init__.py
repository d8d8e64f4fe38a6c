"""Faults on messages: which messages, and what happens to them. No sockets: a message goes in, steps come out."""
