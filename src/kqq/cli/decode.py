"""`kqq decode` and `kqq capture`: what was said, read from files and from the network."""
