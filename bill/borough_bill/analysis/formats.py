"""How numbers, intervals and names are written, in every form of the report."""

from collections.abc import Sequence

from borough_bill.analysis.statistics import Interval

_DIGITS = {"ms": 2, "us": 0, "MiB": 1, "% of a core": 2, "hops": 2, "commits": 2, "%": 2}


def number(value: float, unit: str) -> str:
    """A value without its unit, with the digits of that unit; never -0."""
    text = f"{value:,.{_DIGITS[unit]}f}"
    return text.replace("-", "", 1) if float(text.replace(",", "")) == 0 else text


def amount(value: float, unit: str) -> str:
    """A value with its unit."""
    return f"{number(value, unit)} {unit.replace('us', 'µs')}"


def signed(value: float, unit: str) -> str:
    """A difference without its unit; zero has no sign."""
    text = number(value, unit)
    return text if text.startswith("-") or not text.strip("0.") else f"+{text}"


def span(interval: Interval, unit: str) -> str:
    """The ends of an interval without the unit: `3.51 to 4.29`.

    Where both are printed alike it is `in every block`; without an interval, `no interval`.
    """
    if interval.low is None or interval.high is None:
        return "no interval"
    low, high = number(interval.low, unit), number(interval.high, unit)
    return "in every block" if low == high else f"{low} to {high}"


def share(value: float, digits: int = 0) -> str:
    """A fraction in percent."""
    return f"{100 * value:.{digits}f} %"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`; an empty text for no names."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
