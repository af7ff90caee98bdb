"""What is said of the keys is true."""

import pytest

from kqq.tui.app import ChatApp
from kqq.tui.help import Place, every_key, hints


@pytest.mark.parametrize("place", Place)
def test_hints_name_actions_that_there_are(place: Place) -> None:
    """Each hint can be clicked: the app has such an action."""
    for key, does, action in hints(place):
        assert key
        assert does
        assert hasattr(ChatApp, f"action_{action.removeprefix('app.')}"), action


def test_the_first_hints_fit_in_forty_columns() -> None:
    """Sending, going back and the page of all keys are always in view."""
    assert [key for key, _, _ in hints(Place.FIELD)][:3] == ["Enter", "Esc", "F1"]
    for place in Place:
        assert "F1" in [key for key, _, _ in hints(place)][:4]


def test_the_wire_says_the_way_on_and_back() -> None:
    """Each part first; a search of messages is not offered there."""
    assert [key for key, _, _ in hints(Place.WIRE)][:1] == ["→"]
    assert [key for key, _, _ in hints(Place.WIRE_FIELDS)][:2] == ["←", "→"]
    assert [key for key, _, _ in hints(Place.WIRE_DETAIL)][:1] == ["←"]
    for place in Place:
        assert ("F3" in [key for key, _, _ in hints(place)]) is not place.is_wire


def test_keys_of_the_page_are_bound() -> None:
    """What the page says of keys everywhere, the app binds."""
    bound = {key for binding in ChatApp.BINDINGS for key in binding.key.split(",")}  # type: ignore[union-attr]
    names = {"↑": "up", "↓": "down", "esc": "escape"}
    everywhere = every_key()[0][1]
    for keys, _ in everywhere:
        for key in keys.split():
            parts = key.lower().split("+")
            spelled = "+".join(names.get(part, part) for part in parts)
            assert spelled in bound | {"tab"}, key


def test_signs_beside_messages_are_told() -> None:
    """The page names every sign."""
    assert [sign for sign, _ in every_key()[-1][1]] == ["…", "✓", "✗", "?"]
