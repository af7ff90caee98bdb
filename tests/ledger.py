"""Who said what to whom, and what each was shown: whether all of it was shown once, in order."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from kqq.client import Fate, Messenger, Received, Written


@dataclass
class Ledger:
    """What was written and what was shown. Each text must be said once only."""

    written: dict[tuple[int, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    """What somebody (first) wrote to somebody else, in order."""
    shown: dict[tuple[int, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    """What of somebody's (first) was shown to somebody else, in order."""
    fates: dict[str, Fate] = field(default_factory=dict)
    """What became of each message by its key, as its writer was told."""

    def write(self, messenger: Messenger, to: int) -> None:
        """Have somebody write a text that nobody wrote before."""
        text = f"{messenger.uin} to {to}, {len(self.written[messenger.uin, to])}: a & b, 你好"
        self.written[messenger.uin, to].append(text)
        messenger.write(to, text)

    async def watch(self, messenger: Messenger) -> None:
        """Note what somebody is shown, until their messenger is closed."""
        async for event in messenger.events():
            if isinstance(event, Received):
                self.shown[event.message.uin, messenger.uin].append(event.message.text)
            elif isinstance(event, Written):
                self.fates[event.message.key] = event.message.fate

    @property
    def count(self) -> int:
        """How many messages were written."""
        return sum(map(len, self.written.values()))

    @property
    def left(self) -> int:
        """How many of them were not shown yet; negative if more were shown than written."""
        return self.count - sum(map(len, self.shown.values()))

    def faults(self) -> list[str]:
        """Return in words what is not as it should be; nothing if all is well."""
        faults = []
        for (sender, to), texts in sorted(self.written.items()):
            shown = self.shown[sender, to]
            times = Counter(shown)
            faults += [
                f"{text!r} was shown {times[text]} times" for text in texts if times[text] != 1
            ]
            if not faults and shown != texts:
                faults.append(f"what {sender} wrote to {to} was shown in another order")
        for sender, to in sorted(set(self.shown) - set(self.written)):
            faults += [f"{to} was shown what {sender} never wrote"] * bool(self.shown[sender, to])
        odd = Counter(fate.value for fate in self.fates.values() if fate is not Fate.SENT)
        faults += [f"{count} messages are {fate} to their writer" for fate, count in odd.items()]
        return faults
