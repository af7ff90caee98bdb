"""The client: find a server, sign in, see friends, talk.

`Messenger` keeps somebody signed in; `Client` is one connection; `State` is what a chat shows.
"""

from kqq.client.client import Added, AskCaptcha, Client
from kqq.client.discovery import FoundServers, fetch, read_config, try_servers
from kqq.client.events import (
    Connecting,
    Event,
    Fate,
    Friend,
    FriendLeft,
    Lost,
    Message,
    Odd,
    PresenceChanged,
    Received,
    RequestAnswered,
    Requested,
    RequestSettled,
    RosterCame,
    SignedIn,
    Written,
)
from kqq.client.history import Diary, History
from kqq.client.messenger import Messenger
from kqq.client.state import Conversation, Person, State
from kqq.client.transport import (
    Address,
    Http,
    Tcp,
    Transport,
    Watched,
    make_trust,
    open_transport,
)

__all__ = [
    "Added",
    "Address",
    "AskCaptcha",
    "Client",
    "Connecting",
    "Conversation",
    "Diary",
    "Event",
    "Fate",
    "FoundServers",
    "Friend",
    "FriendLeft",
    "History",
    "Http",
    "Lost",
    "Message",
    "Messenger",
    "Odd",
    "Person",
    "PresenceChanged",
    "Received",
    "RequestAnswered",
    "RequestSettled",
    "Requested",
    "RosterCame",
    "SignedIn",
    "State",
    "Tcp",
    "Transport",
    "Watched",
    "Written",
    "fetch",
    "make_trust",
    "open_transport",
    "read_config",
    "try_servers",
]
