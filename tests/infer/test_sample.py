"""The sample: bounded, of whole connections, evenly chosen."""

import pytest

from kqq.capture.events import Closed, Data, End, Lost, Note, Opened, Stream
from kqq.infer.sample import CLIENT, SERVER, Sample, StreamEvent, gather


def stream(number: int, opener: int | None = 0, ports: tuple[int, int] = (50000, 80)) -> Stream:
    """Return a connection from 10.0.0.1 to 10.0.0.2."""
    return Stream(number, (End("10.0.0.1", ports[0]), End("10.0.0.2", ports[1])), opener)


def talks(number: int, size: int) -> list[StreamEvent]:
    """Return so many connections, on each of which the client says so many bytes."""
    events: list[StreamEvent] = []
    for place in range(1, number + 1):
        one = stream(place)
        events += [Opened(one, 0.0, 1), Data(one, 0, 0.0, 1, b"x" * size), Closed(one, 0.0, 1, "")]
    return events


def test_a_small_capture_is_all_there() -> None:
    """Each piece with who said it and when, in order."""
    one = stream(1)
    events: list[StreamEvent] = [
        Opened(one, 1.0, 1), Data(one, 0, 1.0, 2, b"ask"), Data(one, 1, 2.0, 3, b"answer"),
        Note("lost", "something", 2.0, 4), Closed(one, 3.0, 5, "closed"),
    ]  # fmt: skip
    sample = gather(events)
    (talk,) = sample.talks
    said = [(piece.who, piece.time, piece.data) for piece in talk.pieces]
    assert said == [(CLIENT, 1.0, b"ask"), (SERVER, 2.0, b"answer")]
    assert (talk.number, talk.from_start, talk.client, talk.is_cut) == (1, True, "10.0.0.1", False)
    assert (sample.connections, sample.size, sample.whole, sample.is_all) == (1, 9, 9, True)


@pytest.mark.parametrize(
    ("opener", "ports", "first", "client"),
    [
        (1, (50000, 80), 0, 1),
        (None, (50000, 80), 1, 0),
        (None, (80, 50000), 0, 1),
        (None, (0, 0), 1, 1),
    ],
)
def test_who_is_the_client(
    opener: int | None, ports: tuple[int, int], first: int, client: int
) -> None:
    """Who opened, else who has the higher port, else who speaks first."""
    one = stream(1, opener, ports)
    (talk,) = gather([Data(one, first, 0.0, 1, b"x")]).talks
    assert talk.pieces[0].who == (CLIENT if first == client else SERVER)
    assert talk.from_start == (opener is not None)


def test_a_gap_is_known_to_what_follows_it() -> None:
    """Only of the end that said what is lost, and only once; before any data it says nothing."""
    one = stream(1)
    events: list[StreamEvent] = [
        Lost(one, 0, 0.0, 1, 5), Data(one, 0, 0.0, 2, b"a"), Lost(one, 0, 0.0, 3, 5),
        Data(one, 1, 0.0, 4, b"b"), Data(one, 0, 0.0, 5, b"c"), Data(one, 0, 0.0, 6, b"d"),
    ]  # fmt: skip
    (talk,) = gather(events).talks
    assert [piece.after_gap for piece in talk.pieces] == [False, False, True, False]


def test_one_connection_cannot_fill_the_sample() -> None:
    """A quarter at most is its part; what is cut is known to be."""
    sample = gather(talks(1, 100_000), budget=40_000)
    assert sample.talks[0].is_cut
    assert sample.size == 10_000
    assert not sample.is_all
    again = gather([*talks(1, 100_000), *talks(1, 10)], budget=40_000)
    assert again.size == 10_000


def test_connections_are_chosen_evenly() -> None:
    """Of the early and the late ones about as many stay, and never more than the budget."""
    sample = gather(talks(4000, 500), budget=100_000)
    numbers = [talk.number for talk in sample.talks]
    assert sample.size <= 100_000
    assert sample.connections == 4000
    assert 100 < len(numbers) < 200
    assert 0.35 < sum(number <= 2000 for number in numbers) / len(numbers) < 0.65
    assert all(not talk.is_cut for talk in sample.talks)


def test_tiny_pieces_count_for_more_than_their_bytes() -> None:
    """A million pieces of a byte would need a hundred times as much memory."""
    one = stream(1)
    sample: Sample = gather((Data(one, 0, 0.0, 1, b"x") for _ in range(50_000)), budget=100_000)
    assert len(sample.talks[0].pieces) < 300
