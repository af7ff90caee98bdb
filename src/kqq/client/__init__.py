"""The client: connect, sign in, see friends, talk."""

from kqq.client.client import Client, Friend
from kqq.client.transport import Address, Tcp, Transport, Watched

__all__ = ["Address", "Client", "Friend", "Tcp", "Transport", "Watched"]
