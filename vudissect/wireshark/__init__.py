"""The Wireshark plugin, made from the message table, and the comparison of what it shows with what is decoded here."""
