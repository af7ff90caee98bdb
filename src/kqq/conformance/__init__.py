"""The published suite: plays that claim to be protocol, run against any server."""
