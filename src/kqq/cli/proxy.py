"""`kqq proxy`: between a client and a server, with its hands on every line."""
