"""The capture file: pcapng blocks, the records in them, writer and reader. Knows nothing about what messages mean."""
