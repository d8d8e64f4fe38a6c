"""Known bugs between real peers, each as a conversation with what the linter must find."""
