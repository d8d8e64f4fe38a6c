"""Compares the messages of two sessions, field by field, under a policy. No sockets, no text for people."""
