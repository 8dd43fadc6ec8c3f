"""Does the kit know nothing of any business, and the shop's least of all?

Whose application the kit serves, its names, docstrings and documents speak of capabilities, parts
and shapes.
"""

import re
from pathlib import Path

import pytest

from borough_shop.app import APP

WORDS = {
    *("article", "basket", "barista", "card", "cart", "coffee", "currency", "customer", "espresso"),
    *("invoice", "menu", "money", "order", "payment", "price", "purchase", "refund", "shop"),
    *("sku", "stock", "verdict"),
}
"""Each in the singular. What capabilities are called is added."""
SEQUENCE = re.compile(
    r"\bin (?:(?:the|their|its|that|this) )?order\b|\bthe order (?:of|in)\b|\bin_order\b"
    r"|\bstatic_order\b|\border_by\b",
    re.IGNORECASE,
)
"""The one sense in which a kit may speak of order: one after the other."""
DEFAULT = 'DEFAULT = "borough_shop.app:APP"'
"""The application that every verb takes where none is named: the one place that names the shop."""
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
"""Of an identifier, a word: `OrderPlaced` has two."""


@pytest.fixture(scope="module")
def words() -> set[str]:
    """All of these, and their plurals."""
    singular = WORDS | {name.removesuffix("s") for name in APP.contracts}
    return singular | {f"{word}s" for word in singular}


def of_business(text: str, words: set[str]) -> list[str]:
    """The words of a business that a text has, in names, strings and prose alike."""
    rest = SEQUENCE.sub(" ", text.replace(DEFAULT, ""))
    return [found for found in PART.findall(rest) if found.lower() in words]


def test_the_kit_has_no_word_of_a_business(root: Path, words: set[str]) -> None:
    """In no name, no docstring and no document of it."""
    files = [p for end in ("py", "md", "toml") for p in (root / "kit").rglob(f"*.{end}")]
    assert files
    found = {p.relative_to(root).as_posix(): of_business(p.read_text(), words) for p in files}
    assert {path: of for path, of in found.items() if of} == {}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("class OrderPlaced(Event): ...", "Order"),
        ("customer_id: UUID", "customer"),
        ('"""Charges a PaymentMethod."""', "Payment"),
        ("Notifications are sent.", "Notifications"),
        ("in order that an order is kept", "order"),
    ],
)
def test_word_of_a_business_is_found(text: str, word: str, words: set[str]) -> None:
    """As a part of a name too; order in the sense of a sequence is none."""
    assert of_business(text, words) == [word]


def test_order_as_a_sequence_is_no_business(words: set[str]) -> None:
    """Nor is a word that only contains one."""
    assert of_business("in the order of the mappings, in_order; border, workshop", words) == []
