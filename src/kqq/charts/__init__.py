"""What was said, as pictures: message-sequence charts, and one page about a capture."""
