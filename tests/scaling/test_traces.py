"""Are traces parsed, and invalid files refused?"""

from pathlib import Path

import pytest

from borough_operator.simulator.traces import LENGTH, TraceInvalid, read, synthetic


def test_file_with_one_number_a_line_is_a_trace(tmp_path: Path) -> None:
    """Integers or not; empty lines and comments are skipped; its name is the file's."""
    path = tmp_path / "evening.txt"
    path.write_text("# requests a second\n12\n\n7.5\n 0 \n")

    trace = read(path)

    assert (trace.name, trace.load) == ("evening", (12.0, 7.5, 0.0))
    assert trace.scaled(2.0).load == (24.0, 15.0, 0.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1\n2\nthree\n", 'line 3: "three" is not a number'),
        ("1\n-2\n", "line 2: -2 is not a rate"),
        ("nan\n1\n", "line 1: nan is not a rate"),
        ("1\ninf\n", "line 2: inf is not a rate"),
        ("1,2\n", 'line 1: "1,2" is not a number'),
        ("", "has 0 numbers"),
        ("5\n", "has 1 numbers"),
    ],
)
def test_invalid_trace_is_refused_with_file_and_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    """A typing error can be found."""
    path = tmp_path / "wrong.txt"
    path.write_text(text)

    with pytest.raises(TraceInvalid) as raised:
        read(path)
    assert f"{path}" in str(raised.value)
    assert complaint in str(raised.value)


def test_missing_or_binary_file_is_refused_by_its_path(tmp_path: Path) -> None:
    """Without a traceback."""
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")

    for name in ("nowhere.txt", "picture.png"):
        with pytest.raises(TraceInvalid, match=name):
            read(tmp_path / name)


def test_synthetic_traces_are_reproducible() -> None:
    """Otherwise the committed result could not be reproduced."""
    found = synthetic()

    assert {len(trace.load) for trace in found.values()} == {LENGTH}
    assert found == synthetic()
    assert sum(found["daily"].load) == 941736.0
    assert sum(found["restless"].load) == 583696.0
    assert all(rate == round(rate) >= 0 for trace in found.values() for rate in trace.load)
