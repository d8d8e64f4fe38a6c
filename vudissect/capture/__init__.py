"""The capture file: pcapng blocks, the record in them, writer and reader. Nothing of what a message means."""
