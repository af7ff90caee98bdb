"""Plays, performed with real servers; recorded from them; and a server that answers from one."""
