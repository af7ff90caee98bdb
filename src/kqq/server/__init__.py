"""The server: phones sign in, see their friends and talk; what is accepted is on disk."""

from kqq.server.app import Server
from kqq.server.config import Config, Listen

__all__ = ["Config", "Listen", "Server"]
