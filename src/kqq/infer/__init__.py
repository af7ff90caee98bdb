"""A protocol nobody knows: its framing and fields, guessed from what was said."""
