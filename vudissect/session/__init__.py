"""What an exchange means: requests and replies, features, rings, memory, descriptors. No I/O, no text."""
