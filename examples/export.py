"""Writes the friends of an account and their profiles as CSV, or as JSON.

    KQQ_PASSWORD=secret python examples/export.py tcp://127.0.0.1:14000 10001 csv > friends.csv
    KQQ_PASSWORD=secret python examples/export.py tcp://127.0.0.1:14000 10001 json > friends.json

Messages that waited come with the sign-in; they go into the history, so nothing is lost.
"""

import asyncio
import csv
import json
import os
import sys

from kqq.client import History, Messenger

COLUMNS = ("uin", "nick", "sex", "age", "province", "city", "about")


async def friends(me: Messenger) -> list[dict[str, str]]:
    """Return a row for each friend; what a profile leaves out is ""."""
    rows = []
    await me.refresh()
    for friend in [one for one in me.state.people.values() if one.is_friend]:
        profile = await me.profile(friend.uin, level=3)
        row = {name: getattr(profile, name, None) or "" for name in COLUMNS}
        rows.append({**row, "uin": str(friend.uin)})
    return rows


def write(rows: list[dict[str, str]], form: str) -> None:
    """Write rows to the standard output."""
    if form == "json":
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        writer = csv.DictWriter(sys.stdout, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


async def main(server: str, uin: str, form: str = "csv") -> None:
    """Sign in, fetch everything, and write it."""
    with History.open() as history:
        async with Messenger(int(uin), os.environ["KQQ_PASSWORD"], [server], history=history) as me:
            write(await friends(me), form)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
