"""The surviving clients, each as it really sends and reads.

Nothing here uses the library: a client's framing, its indexes, its string tests and its bugs are
written out once more, from what is on record of its code, with blocking sockets as it had them.
What a client did by itself after some time is a method that the test calls. `docs/clients/` has a
page for each.
"""
