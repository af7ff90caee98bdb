"""What the server counts, and how Prometheus reads it.

Who counts adds to plain numbers on the event loop: `metrics.pushes += 1`. Nothing else is done
until somebody asks for them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from kqq.server.clock import Clock

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What `Metrics.render` returns, in HTTP's words; the version that every Prometheus reads."""


class Counts(dict[str, int]):
    """Numbers by a label; one that was not counted yet is 0.

    Labels are of a closed set, never what a client sent: each is kept for good.
    """

    def __missing__(self, label: str) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Writes:
    """What was written to disk since the start: `writes` in `batches`, in so many seconds."""

    batches: int
    writes: int
    seconds: float


class Metrics:
    """The numbers of one server, since it started."""

    def __init__(self, clock: Clock, version: str = "") -> None:
        self.connections = Counts(tcp=0, http=0, tls=0, web=0)
        """Connections that were made, by how they speak."""
        self.connections_open = 0
        self.sign_ins = Counts.fromkeys(
            ("accepted", "wrong_password", "unknown", "captcha", "suspended", "busy", "limited"), 0
        )
        """Sign-ins by what became of them."""
        self.commands = Counts()
        """Commands by name as in the catalogue; those that are not in it are `unknown`."""
        self.refused = Counts()
        """Commands refused, by why."""
        self.unreadable_lines = 0
        self.messages_stored = 0
        self.messages_delivered = 0
        self.pushes = 0
        self.captchas = Counts(shown=0, right=0, wrong=0, expired=0)
        """Captchas by what became of them."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.sessions_open: Callable[[], Mapping[str, int]] | None = None
        """Asked for the sessions that are open, by kind."""
        self.password_checks_waiting: Callable[[], int] | None = None
        """Asked for the passwords that wait to be checked."""
        self.writes: Callable[[], Writes] | None = None
        """Asked for what was written to disk."""
        self._started = clock.date()
        self._version = version
        self._ours = CollectorRegistry()
        self._ours.register(_Ours(self))
        self._process = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._process)

    def count_messages(self, what: Literal["stored", "delivered"], count: int) -> None:
        """Count messages that were stored, or have arrived."""
        if what == "stored":
            self.messages_stored += count
        else:
            self.messages_delivered += count

    def render(self) -> bytes:
        """Return all numbers in the text format of Prometheus."""
        return self.render_ours() + self.render_process()

    def render_ours(self) -> bytes:
        """Return what the server counts."""
        return generate_latest(self._ours)

    def render_process(self) -> bytes:
        """Return memory, processor time and open files of the process.

        May run on any thread, and should: the system counts 20,000 files for 20 milliseconds.
        """
        return generate_latest(self._process)

    def families(self) -> Iterator[Metric]:
        """Return our own numbers as the library wants them."""
        yield _gauge("start_time_seconds", "When the server started, since 1970.", self._started)
        if self._version:
            yield _gauges("build_info", "The version of kqq.", "version", {self._version: 1})
        yield _counters("connections", "Connections made.", "over", self.connections)
        yield _gauge("connections_open", "Connections that are open.", self.connections_open)
        yield _counters("sign_ins", "Sign-ins by what became of them.", "result", self.sign_ins)
        yield _counters("commands", "Commands that came, by name.", "command", self.commands)
        yield _counters("refused", "Commands refused, by why.", "why", self.refused)
        yield _counter("unreadable_lines", "Lines that could not be read.", self.unreadable_lines)
        yield _counter("messages_stored", "Messages stored.", self.messages_stored)
        yield _counter("messages_delivered", "Messages delivered.", self.messages_delivered)
        yield _counter("pushes", "Lines pushed to clients.", self.pushes)
        yield _counters("captchas", "Captchas by what became of them.", "result", self.captchas)
        yield _counter("received_bytes", "Bytes that clients sent.", self.bytes_in)
        yield _counter("sent_bytes", "Bytes sent to clients.", self.bytes_out)
        if self.sessions_open is not None:
            yield _gauges("sessions_open", "Sessions that are open.", "kind", self.sessions_open())
        if self.password_checks_waiting is not None:
            yield _gauge(
                "password_checks_waiting",
                "Sign-ins whose password waits to be checked.",
                self.password_checks_waiting(),
            )
        if self.writes is not None:
            done = self.writes()
            yield SummaryMetricFamily(
                "kqq_write_batch_size",
                "Writes to the database, and how many transactions they came in.",
                count_value=done.batches,
                sum_value=done.writes,
            )
            yield SummaryMetricFamily(
                "kqq_write_batch_seconds",
                "How long the transactions took until they were on disk.",
                count_value=done.batches,
                sum_value=done.seconds,
            )


class _Ours(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics.families()


def _counter(name: str, words: str, value: int) -> Metric:
    return CounterMetricFamily(f"kqq_{name}", words, value=value)


def _counters(name: str, words: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"kqq_{name}", words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"kqq_{name}", words, value=value)


def _gauges(name: str, words: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(f"kqq_{name}", words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
