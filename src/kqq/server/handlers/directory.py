"""The server-config document: where phones that ask for it find this server."""

from kqq.protocol import ServerConfig, encode
from kqq.server.config import UNSIGNED_MAY_NOT
from kqq.server.handlers.base import Context, Services

PATH = "/newConf/kjava/aubin2.jsp"
"""Where the real one was (SEED SETM)."""


def server_config(context: Context) -> bytes:
    """Return the document, with our doors as this client reaches them: lines first, as it was.

    Doors with TLS are left out: no client of the time knew an address for such.
    """
    config = context.services.config
    host = config.advertise or context.peer.reached
    host = f"[{host}]" if ":" in host else host
    ports = plain_ports(context.services)
    return encode(
        ServerConfig(
            count=2 * len(ports),
            types=("KQQTCP",) * len(ports) + ("KQQHTTP",) * len(ports),
            addresses=(
                *(f"socket://{host}:{port}" for port in ports),
                *(f"http://{host}:{port}" for port in ports),
            ),
            update_count=1 if config.update_version else 0,
            update_version=config.update_version,
            update_must="Y" if config.update_must else "N",
            update_url=config.update_url,
            update_help=config.update_help,
            sms_count=len(config.sms),
            sms_names=tuple(entry.name for entry in config.sms),
            sms_addresses=tuple(entry.address for entry in config.sms),
            sms_texts=tuple(entry.text for entry in config.sms),
            sms_help=",".join(entry.help for entry in config.sms),
        )
    )


def plain_ports(services: Services) -> list[int]:
    """Return the ports that phones can be told: without TLS, and where any program may connect.

    If only those are open that many phones forbid to unsigned programs, it is those.
    """
    every = dict.fromkeys(door.port for door in services.doors if not door.is_tls)
    return [port for port in every if port not in UNSIGNED_MAY_NOT] or list(every)
