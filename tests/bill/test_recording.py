"""Is a recording read as it was written, and refused when it is not whole?"""

from pathlib import Path

import numpy as np
import pytest

from borough_bill.load.recording import REQUEST, BrokenRecording, Header, Recording, slip_check

HEADER = Header(
    job={"rate": 2.0},
    run="ab",
    classes=("browse", "order"),
    window_begin_s=1.0,
    window_s=2.0,
    cpu={"app-0": 0.25},
    generator_cpu_s=0.01,
    connections=3,
    held_back=0,
    reasons={"order: answered 503": 1},
)


def recording(path: Path, *, late: float = 0.0) -> Recording:
    """A warm-up request, two that were served, one that failed; all sent `late` seconds late."""
    rows = [
        (0.5, 0.5 + late, 0.51, 0.52, 200, 0, True, True),
        (1.0, 1.0 + late, 1.25, 1.5, 200, 0, False, True),
        (1.5, 1.5 + late, 1.50, 1.75, 201, 1, False, True),
        (2.0, 2.0 + late, 2.00, 9.0, 503, 1, False, False),
    ]
    return Recording(path, HEADER, np.array(rows, REQUEST))


def test_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Header and requests are equal, and no partial file is left."""
    written = recording(tmp_path / "run.npz")
    written.write()
    read = Recording.read(tmp_path / "run.npz")

    assert read.header == HEADER
    assert read.requests.tolist() == written.requests.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


def test_only_correct_answers_of_the_window_count_as_served(tmp_path: Path) -> None:
    """The warm-up is excluded, and a wrong answer has no latency."""
    run = recording(tmp_path / "run.npz")

    assert (run.served, run.failed) == (2, 1)
    assert run.latencies().tolist() == [0.5, 0.25]
    assert run.latencies("order").tolist() == [0.25]


def test_slip_is_part_of_latency_and_reported_apart(tmp_path: Path) -> None:
    """Latency counts from the intended time; `from_sent` and `slips` are separate."""
    run = recording(tmp_path / "run.npz", late=0.125)

    assert run.latencies().tolist() == [0.5, 0.25]
    assert run.from_sent().tolist() == [0.375, 0.125]
    assert run.slips().tolist() == [0.125] * 3


def test_late_generator_voids_its_recordings(tmp_path: Path) -> None:
    """The 99th percentile of slip over all recordings decides."""
    punctual, late = recording(tmp_path / "a", late=0.004), recording(tmp_path / "b", late=0.006)

    assert not slip_check([punctual]).void
    assert slip_check([punctual, late]).void
    assert slip_check([punctual, late]).mean_s == pytest.approx(0.005)


@pytest.mark.parametrize("kept", [0, 1, 100, 500, -1])
def test_truncated_recording_is_refused_by_name(tmp_path: Path, kept: int) -> None:
    """As after a full disk or an interrupted copy."""
    path = tmp_path / "run.npz"
    recording(path).write()
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(BrokenRecording, match=r"run\.npz is no whole recording"):
        Recording.read(path)


def test_recording_with_a_changed_byte_is_refused(tmp_path: Path) -> None:
    """A checksum covers every byte of the requests."""
    path = tmp_path / "run.npz"
    run = recording(path)
    run.write()
    whole = path.read_bytes()
    at = whole.index(run.requests.tobytes()) + 20
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

    with pytest.raises(BrokenRecording, match=r"run\.npz is no whole recording: .*CRC"):
        Recording.read(path)


def test_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    """A missing file, a text, and an archive of other arrays."""
    text, foreign = tmp_path / "text.npz", tmp_path / "foreign.npz"
    text.write_text("not an archive")
    np.savez(foreign, header=np.zeros(3, np.uint8), requests=np.zeros(3))

    for path in (tmp_path / "absent.npz", text, foreign):
        with pytest.raises(BrokenRecording, match=path.name):
            Recording.read(path)


def test_recording_of_another_version_is_refused(tmp_path: Path) -> None:
    """The columns of a later version may have another meaning."""
    run = recording(tmp_path / "run.npz")
    Recording(run.path, HEADER.model_copy(update={"version": 2}), run.requests).write()

    with pytest.raises(BrokenRecording, match="recording of version 2; this is version 1"):
        Recording.read(run.path)
