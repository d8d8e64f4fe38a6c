"""The Wireshark plugin, generated from the message table, and the comparison of its output with the decoder here."""
