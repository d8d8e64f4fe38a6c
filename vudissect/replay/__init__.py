"""Peers that play a recorded or scripted side over real sockets."""
