"""Between a client and a server: every line seen, changed, held or dropped, and written down."""
