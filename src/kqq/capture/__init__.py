"""What was said, read from where it was kept: captures, logs, plays.

Depends on the protocol only. Nothing here reads a clock, and only `sources` opens files.
"""
