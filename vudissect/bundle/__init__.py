"""One file to attach to a bug report: captures, what they show, and what is known of both sides."""
