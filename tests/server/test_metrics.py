"""What the server counts, as Prometheus reads it."""

from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kqq.server.metrics import CONTENT_TYPE, Counts, Metrics, Writes
from stage import ManualClock


@pytest.fixture
def metrics() -> Metrics:
    """Numbers of a server that starts."""
    return Metrics(ManualClock(), "0.1.0")


def samples(text: bytes) -> Mapping[tuple[str, ...], float]:
    """Return what Prometheus reads: the values by name and the values of labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_new_server_says_what_there_is_to_count(metrics: Metrics) -> None:
    """Known labels are there from the start as 0, so that a first failure shows as a rise."""
    read = samples(metrics.render())
    assert read["kqq_start_time_seconds",] == ManualClock().date()
    assert read["kqq_build_info", "0.1.0"] == 1
    for result in ("accepted", "wrong_password", "unknown", "captcha", "suspended", "busy"):
        assert read["kqq_sign_ins_total", result] == 0
    for over in ("tcp", "http", "tls"):
        assert read["kqq_connections_total", over] == 0
    assert read["kqq_pushes_total",] == 0
    assert not [name for name, *_ in read if "waiting" in name or "batch" in name]


def test_everything_counted_is_read(metrics: Metrics) -> None:
    """Each number comes out under its own name."""
    metrics.connections["tcp"] += 3
    metrics.connections_open += 2
    metrics.sign_ins["limited"] += 1
    metrics.commands["CLTMSG"] += 2
    metrics.refused["inbox_full"] += 1
    metrics.unreadable_lines = 4
    metrics.messages_stored = 5
    metrics.messages_delivered = 6
    metrics.pushes = 7
    metrics.captchas["shown"] += 1
    metrics.bytes_in, metrics.bytes_out = 2**40, 9
    read = samples(metrics.render_ours())
    assert read["kqq_connections_total", "tcp"] == 3
    assert read["kqq_connections_open",] == 2
    assert read["kqq_sign_ins_total", "limited"] == 1
    assert read["kqq_commands_total", "CLTMSG"] == 2
    assert read["kqq_refused_total", "inbox_full"] == 1
    assert read["kqq_unreadable_lines_total",] == 4
    assert read["kqq_messages_stored_total",] == 5
    assert read["kqq_messages_delivered_total",] == 6
    assert read["kqq_pushes_total",] == 7
    assert read["kqq_captchas_total", "shown"] == 1
    assert read["kqq_received_bytes_total",] == 2**40
    assert read["kqq_sent_bytes_total",] == 9


def test_what_is_asked_when_read(metrics: Metrics) -> None:
    """Sessions, passwords and writes are asked for each time, as they are then."""
    sessions = {"tcp": 1, "http": 2}
    metrics.sessions_open = lambda: sessions
    metrics.password_checks_waiting = lambda: 3
    metrics.writes = lambda: Writes(batches=4, writes=40, seconds=0.5)
    read = samples(metrics.render())
    assert read["kqq_sessions_open", "http"] == 2
    assert read["kqq_password_checks_waiting",] == 3
    assert read["kqq_write_batch_size_count",] == 4
    assert read["kqq_write_batch_size_sum",] == 40
    assert read["kqq_write_batch_seconds_count",] == 4
    assert read["kqq_write_batch_seconds_sum",] == 0.5
    sessions["http"] = 5
    assert samples(metrics.render())["kqq_sessions_open", "http"] == 5


def test_process_is_told_of(metrics: Metrics) -> None:
    """Processor time and Python come along, and none of them twice."""
    text = metrics.render()
    read = samples(text)
    assert any(name == "python_info" for name, *_ in read)
    assert any(name.startswith("python_gc_") for name, *_ in read)
    kinds = [line for line in text.decode().splitlines() if line.startswith("# TYPE ")]
    assert len(kinds) == len(set(kinds))
    assert "version=0.0.4" in CONTENT_TYPE


def test_every_family_has_help_and_type(metrics: Metrics) -> None:
    """Whoever reads the text sees what each number means."""
    metrics.sessions_open = dict
    metrics.password_checks_waiting = int
    metrics.writes = lambda: Writes(0, 0, 0.0)
    for family in text_string_to_metric_families(metrics.render_ours().decode()):
        assert family.name.startswith("kqq_")
        assert family.documentation.endswith(".")
        assert family.type in {"counter", "gauge", "summary"}


def test_servers_do_not_share_numbers(metrics: Metrics) -> None:
    """Two servers in one process count for themselves; one without a version says none."""
    other = Metrics(ManualClock())
    other.pushes += 1
    other.sign_ins["busy"] += 1
    read = samples(metrics.render())
    assert read["kqq_pushes_total",] == 0
    assert read["kqq_sign_ins_total", "busy"] == 0
    assert not [name for name, *_ in samples(other.render()) if name == "kqq_build_info"]


def test_counts_begin_at_nothing() -> None:
    """A label needs no preparation, and asking for one does not make it."""
    counts = Counts(a=1)
    counts["b"] += 1
    assert counts["c"] == 0
    assert counts == {"a": 1, "b": 1}
