"""Known bugs between real peers, each as a conversation with the findings that the linter must report."""
