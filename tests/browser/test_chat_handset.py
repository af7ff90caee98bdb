"""The page as a phone of 2005, in Chromium: its keys do what its screen says."""

import re
from typing import Any

from playwright.async_api import Page, expect

from chat_page import (
    BO,
    CARL,
    NARROW,
    NewPage,
    Site,
    axe,
    bubbles,
    chat,
    dialog,
    field,
    message,
    row,
    width_beyond,
)

expect.set_options(timeout=8_000)
_PRESS = """async ([keys, pause]) => {
  for (const key of keys) {
    const label = key === "|" ? null : [...document.querySelectorAll(".key.number")]
      .find((one) => one.querySelector("b").textContent === key);
    if (label) label.click();
    else await new Promise((resolve) => setTimeout(resolve, pause));
  }
}"""
_NUMBER_BLOCK = """(keys) => {
  for (const [key, code] of keys) {
    document.activeElement.dispatchEvent(
      new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true }));
  }
}"""
"""Keys of the number block while it brings numbers."""


async def soft(page: Page, side: str) -> None:
    """Press a soft key."""
    await page.locator(f".key.soft{'.right' if side == 'right' else ':not(.right)'}").click()


async def labels(page: Page, *wanted: str) -> None:
    """See what the soft keys say."""
    await expect(page.locator(".soft-labels > span")).to_have_text(list(wanted))


async def pad(page: Page, *names: str) -> None:
    """Press keys of the navigation, by their names."""
    for name in names:
        await page.get_by_role("button", name=name, exact=True).click()


async def test_a_talk_with_twelve_keys(new_page: NewPage, server: Site) -> None:
    """Somebody is chosen, a message written with many presses, sent, and one goes back."""
    seed = [message(1, "hi"), message(2, "ho", peer=CARL)]
    page = await chat(new_page, seed=seed, skin="handset", viewport=NARROW)
    phone = await server.wire(BO)
    await expect(row(page, CARL)).to_be_focused()
    await labels(page, "Options", "Select", "Modern")
    await pad(page, "Down", "OK")
    await expect(page.locator(".conversation .bar h2")).to_have_text("小波")
    await expect(field(page)).to_be_focused()
    await labels(page, "Options", "", "Back")
    await page.evaluate(_PRESS, [list("4433555|555666"), 950])
    await expect(field(page)).to_have_value("Hello")
    await labels(page, "Send", "", "Clear")
    await soft(page, "right")
    await expect(field(page)).to_have_value("Hell")
    await page.evaluate(_PRESS, [list("6660"), 0])
    await page.locator(".key.number", has_text="2").click(delay=700)
    await expect(field(page)).to_have_value("Hello 2")
    await pad(page, "Left", "Left")
    await page.evaluate(_PRESS, [list("###1|1"), 0])
    await expect(field(page)).to_have_value("Hello11 2")
    assert await axe(page) == []
    await soft(page, "left")
    await expect(bubbles(page).last).to_have_text("Hello11 2")
    assert (await phone.hear()).endswith("&MG=Hello11 2")
    await expect(page.locator(".mode")).to_have_text("123")
    await soft(page, "right")
    await expect(row(page, BO)).to_be_focused()
    assert await width_beyond(page) == []


async def test_menus_and_dialogs(new_page: NewPage) -> None:
    """They are screens of the phone: numbers choose, Back goes back, the main key is the left."""
    page = await chat(new_page, seed=[message(1, "hi")], skin="handset")
    await expect(row(page, BO)).to_be_focused()
    await soft(page, "left")
    await expect(dialog(page).get_by_role("heading")).to_have_text("Options")
    await labels(page, "Select", "", "Back")
    inside = await dialog(page).evaluate("(one) => Boolean(one.closest('.screen'))")
    assert inside
    await page.evaluate(_PRESS, [["1"], 0])
    await expect(dialog(page).get_by_role("heading")).to_have_text("Add a friend")
    await labels(page, "Add", "Select", "Back")
    await page.evaluate(_PRESS, [list("10002"), 0])
    await expect(dialog(page).get_by_label("Number")).to_have_value("10002")
    await labels(page, "Add", "Select", "Clear")
    await pad(page, "Down")
    await expect(dialog(page).get_by_label("A few words")).to_be_focused()
    await soft(page, "left")
    await expect(page.locator(".conversation .bar h2")).to_have_text("小波")
    await pad(page, "Back to the list")
    await soft(page, "left")
    await pad(page, "Down", "Down")
    await soft(page, "left")
    await expect(dialog(page).get_by_role("heading")).to_have_text("Your status")
    await pad(page, "Down", "Down", "OK")
    await expect(page.locator(".me-bar")).to_contain_text("Away")
    await soft(page, "right")
    await expect(page.locator(".handset")).to_have_count(0)
    await expect(page.locator(".panes")).to_be_visible()
    await expect(field(page)).to_have_attribute("inputmode", "text")


async def test_by_the_keyboard_of_a_computer(new_page: NewPage, complaints: Any) -> None:
    """F1 and F2 are the soft keys, arrows move, the number block is the keypad, Esc goes back."""
    seed = [message(1, "hi"), message(2, "ho", peer=CARL)]
    page = await chat(new_page, seed=seed, skin="handset", color_scheme="dark")
    press = page.keyboard.press
    await expect(row(page, CARL)).to_be_focused()
    await press("ArrowDown")
    await expect(row(page, BO)).to_be_focused()
    await press("Enter")
    await expect(field(page)).to_be_focused()
    await page.evaluate(_NUMBER_BLOCK, [["4", "Numpad4"], ["4", "Numpad4"], ["/", "NumpadDivide"]])
    await expect(field(page)).to_have_value("H")
    await page.keyboard.type("ello")
    await press("F1")
    await expect(bubbles(page).last).to_have_text("Hello")
    await press("F1")
    await expect(dialog(page).get_by_role("heading")).to_have_text("Options")
    await press("ArrowDown")
    await press("ArrowDown")
    await press("Enter")
    await expect(page.locator(".wire")).to_be_visible()
    assert await axe(page) == []
    await page.get_by_role("button", name="Close the wire").click()
    await press("Escape")
    await expect(row(page, BO)).to_be_focused()
    await press("F1")
    await press("ArrowUp")
    await press("ArrowUp")
    await press("Enter")
    await expect(dialog(page).locator("h2")).to_have_text("Settings")
    await press("ArrowDown")
    await press("ArrowDown")
    await expect(dialog(page).get_by_label("Looks")).to_be_focused()
    await pad(page, "Left")
    await expect(page.locator(".handset")).to_have_count(0)
    assert complaints.heard == []


async def test_keys_bring_signs(new_page: NewPage) -> None:
    """The same key within a moment is the next sign; capitals begin sentences."""
    page = await new_page("/api/hello")
    typed = await page.evaluate(
        """async () => {
          const { Keypad, MODES, takeAway, put } = await import("/static/js/chat/keypad.js");
          const write = (keys, start = "", mode = "Abc", isNumber = false) => {
            const keypad = new Keypad();
            while (keypad.mode !== mode) keypad.nextMode();
            let [text, at] = [start, 0];
            for (const key of keys) {
              at += key === "|" ? 1000 : 100;
              if (key === "|") continue;
              const { sign, isAnother } = keypad.press(key, at, { before: text, isNumber });
              text = (isAnother ? text.slice(0, -1) : text) + sign;
            }
            return text;
          };
          const field = document.createElement("textarea");
          field.value = "a👨‍👩‍👧b";
          field.setSelectionRange(9, 9);
          takeAway(field);
          const family = field.value;
          field.setSelectionRange(0, 1);
          put(field, { sign: "x", isAnother: true });
          return [write("2|22|222|2222|22222"), write("44", "Hi. "), write("44", "Hi "),
            write("44", "", "ABC"), write("2222", "", "123"), write("777", "", "abc", true),
            write("0|00|*1111"), family, field.value];
        }"""
    )
    assert typed == ["Abc2a", "Hi. H", "Hi h", "H", "2222", "777", " 0*!", "ab", "xb"]
    assert re.fullmatch(r"Abc\da", typed[0])
