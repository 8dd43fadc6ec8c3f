"""Is the leaderboard correct and reproducible?"""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from borough_operator.__main__ import app
from borough_operator.simulator import leaderboard, plot, traces
from borough_operator.simulator.leaderboard import (
    DOWN_WINDOWS,
    HPA_CPU,
    HPA_RATE,
    ORACLE,
    OURS,
    RATE_DOWN_WINDOWS,
    RATE_WINDOWS,
    STATIC,
    SWEPT,
    TARGETS,
    Board,
    Comparison,
    Leaderboard,
    Origin,
    Row,
)
from borough_operator.simulator.station import model
from borough_operator.simulator.traces import Trace
from scaling import leaderboard_page as page

STORED = Path(__file__).parents[2] / "docs" / "results" / "leaderboard.json"
SHORT = Trace("short", tuple([40.0] * 120 + [160.0] * 180 + [60.0] * 120))


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """A comparison with the committed model."""
    return Comparison(model())


@pytest.fixture(scope="module")
def rows(comparison: Comparison) -> list[Row]:
    """The results of all policies with all settings on a short step."""
    return comparison.rows(SHORT)


@pytest.fixture(scope="module")
def board(rows: list[Row]) -> Board:
    """The board of the same."""
    return leaderboard.board(SHORT, rows)


def test_every_policy_has_a_row_and_hpa_its_whole_sweep(rows: list[Row], board: Board) -> None:
    """The front of HPA on CPU covers all targets and windows."""
    assert len({row.policy for row in board.rows}) == 2 + len(SWEPT) + 2
    sweep = {row.setting for row in rows if row.policy == HPA_CPU}
    assert len(sweep) == len(TARGETS) * len(DOWN_WINDOWS)


def test_no_policy_beats_the_oracle(rows: list[Row], board: Board) -> None:
    """Without violations no policy costs less."""
    oracle = board.row(ORACLE).scores

    assert oracle.violations == board.row(STATIC).scores.violations == 0
    for entry in rows:
        if entry.scores.violations == 0:
            assert entry.scores.replica_hours >= oracle.replica_hours


def test_repeated_run_of_a_policy_is_identical(comparison: Comparison, board: Board) -> None:
    """A row can be drawn without its seconds being stored."""
    policies = comparison.policies(SHORT)
    for row in board.rows:
        timeline = comparison.timeline(SHORT, policies[row.policy, row.setting]())

        assert sum(second.violated for second in timeline.seconds) == row.scores.violations


def test_stored_leaderboard_is_read_unchanged(board: Board, tmp_path: Path) -> None:
    """The page from the file equals the page of the run."""
    found = Leaderboard((board,), 2.0, Origin("0.1.0", "abc"))
    leaderboard.write(found, tmp_path / "result.json")

    assert leaderboard.read(tmp_path / "result.json") == found
    text = page.page(found)
    assert "All loads are multiplied by 2." in text
    assert "Of borough-operator 0.1.0, commit abc.\n" in text
    for row in board.rows:
        scored = row.scores
        start = (
            f"| {row.policy} | {row.setting} | {scored.violations} | {scored.replica_hours:.2f} |"
        )
        assert start in text


def test_page_names_the_origin_of_loads_and_the_command(board: Board) -> None:
    """Recorded loads are credited; the command has every trace, files with their names."""
    boards = tuple(replace(board, trace=name) for name in ("step", "noisy"))
    text = page.page(Leaderboard(boards, 1.0, Origin("0.1.0", "abc")))

    assert "`noisy` are recorded loads" in text
    assert "microsoft/autothrottle" in text
    assert 'ARGS="--trace step --trace noisy.txt --json docs/results/leaderboard.json"' in text


def test_totals_are_the_sums_over_all_traces(board: Board) -> None:
    """The same trace twice has twice its violations, and the same ratio."""
    own = board.row(OURS).scores.violations
    (front,) = (judged.front_violations for judged in board.judged if judged.policy == OURS)
    assert front > own > 0
    text = page.page(Leaderboard((board, board), 1.0, Origin("0.1.0", "abc")))

    totals = f"ours, {2 * own} violation-seconds, HPA {2 * front:.0f}, which is {own / front:.0%};"
    assert totals in text


def test_reversal_goal_has_a_row_for_every_pair_of_windows(rows: list[Row], board: Board) -> None:
    """At most a third of the reversals of HPA on rate, at the target whose cost is nearest."""
    hours = board.row(OURS).scores.replica_hours
    rates = {entry.setting: entry.scores for entry in rows if entry.policy == HPA_RATE}

    assert len(board.rate) == len(RATE_DOWN_WINDOWS) * len(RATE_WINDOWS)
    for row in board.rate:
        windows = row.setting.partition(", ")[2]
        near = min(
            abs(scored.replica_hours - hours) for name, scored in rates.items() if windows in name
        )
        assert abs(row.scores.replica_hours - hours) == near

    scored = board.rows[0].scores
    for ours, theirs, met in ((0, 0, True), (2, 6, True), (2, 5, False), (1, 0, False)):
        pair = (replace(scored, reversals=number) for number in (ours, theirs))
        assert page.meets_reversal_goal(*pair) is met


def test_file_without_a_leaderboard_is_refused_by_its_path(tmp_path: Path) -> None:
    """With a sentence instead of a traceback."""
    path = tmp_path / "other.json"
    for text in ("{}", "no", '{"scale": 1, "traces": [{"rows": []}]}'):
        path.write_text(text)
        with pytest.raises(leaderboard.BrokenResult, match=re.escape(str(path))):
            leaderboard.read(path)


def test_pictures_are_drawn_deterministically(
    comparison: Comparison, board: Board, tmp_path: Path
) -> None:
    """A generated file must not change without a change of its input."""
    for name in ("a.svg", "b.svg"):
        page.fronts((board,), tmp_path / name)
    plot.timelines([(SHORT, board)], comparison, tmp_path / "lines.png")

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "lines.png").read_bytes().startswith(b"\x89PNG")


def test_command_reads_files_and_prints_every_row(tmp_path: Path) -> None:
    """`--trace FILE` reads one number a line; `--json` and `--plot` write their files."""
    path = tmp_path / "evening.txt"
    path.write_text("\n".join(f"{rate:g}" for rate in SHORT.load))
    stored, drawn = tmp_path / "out.json", tmp_path / "out.svg"

    options = ["--scale", "0.5", "--json", f"{stored}", "--plot", f"{drawn}"]
    result = CliRunner().invoke(app, ["leaderboard", "--trace", f"{path}", *options])

    assert result.exit_code == 0, result.output
    assert "evening: 420 s" in result.output
    assert all(f"\n{policy}" in result.output for policy in (OURS, *SWEPT, STATIC, ORACLE))
    assert leaderboard.read(stored).scale == 0.5
    assert "<svg" in drawn.read_text()


def test_command_refuses_an_invalid_trace(tmp_path: Path) -> None:
    """With exit status 2, the file and the line."""
    path = tmp_path / "wrong.txt"
    path.write_text("1\ntwo\n")

    result = CliRunner().invoke(app, ["leaderboard", "--trace", f"{path}"])

    assert result.exit_code == 2
    assert 'line 2: "two" is not a number' in result.output


@pytest.mark.parametrize(
    ("option", "name", "complaint"),
    [
        ("--json", "nowhere/out.json", "No such file or directory"),
        ("--plot", "nowhere/out.svg", "No such file or directory"),
        ("--plot", "out.foo", "out.foo is not a picture: its name must end in .svg or .png"),
    ],
)
def test_command_refuses_an_unwritable_file_before_it_runs(
    tmp_path: Path, option: str, name: str, complaint: str
) -> None:
    """Without a traceback, and before minutes of work."""
    result = CliRunner().invoke(app, ["leaderboard", option, f"{tmp_path / name}"])

    assert result.exit_code == 2
    assert complaint in result.output
    assert "requests a second" not in result.output


def test_picture_without_matplotlib_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the extra to install."""
    monkeypatch.setattr(plot, "find_spec", lambda _: None)

    result = CliRunner().invoke(app, ["leaderboard", "--plot", f"{tmp_path / 'out.svg'}"])

    assert result.exit_code == 2
    assert "borough-operator[plot]" in result.output


def test_result_contains_the_commit_of_its_code(tmp_path: Path) -> None:
    """Outside a repository its version only."""
    assert re.fullmatch(r"unknown|[0-9a-f]{12}(-dirty)?", leaderboard.origin().commit)

    outside = leaderboard.origin(tmp_path)
    assert outside.commit == leaderboard.UNKNOWN
    assert outside.version


def test_leaderboard_handles_the_shortest_and_an_idle_trace(tmp_path: Path) -> None:
    """Two seconds, and loads of 0."""
    short, idle = tmp_path / "short.txt", tmp_path / "idle.txt"
    short.write_text("5\n9\n")
    idle.write_text("0\n" * 70)

    result = CliRunner().invoke(app, ["leaderboard", "--trace", f"{short}", "--trace", f"{idle}"])

    assert result.exit_code == 0, result.output
    assert "idle: 70 s, 0 requests a second" in result.output


def test_simulate_prints_each_change_and_its_reason(tmp_path: Path) -> None:
    """One line for each change, then the totals."""
    path = tmp_path / "evening.txt"
    path.write_text("\n".join(f"{rate:g}" for rate in SHORT.load))

    result = CliRunner().invoke(app, ["simulate", "--trace", f"{path}"])

    assert result.exit_code == 0, result.output
    assert len([line for line in result.output.splitlines() if " -> " in line]) >= 2
    assert "replica-hours" in result.output.splitlines()[-1]


def test_committed_result_has_every_synthetic_trace() -> None:
    """With the rows of the present policies."""
    found = leaderboard.read(STORED)
    boards = found.boards

    assert found.scale == 1.0
    assert {board.trace for board in boards} >= set(traces.synthetic())
    for board in boards:
        assert [row.policy for row in board.rows][-2:] == [STATIC, ORACLE]
        assert {row.policy for row in board.rows} >= {OURS, *SWEPT}


def test_committed_result_matches_the_present_code(comparison: Comparison) -> None:
    """On the trace with the most violations: a changed decision needs a new measurement."""
    stored = {board.trace: board for board in leaderboard.read(STORED).boards}
    spike = traces.synthetic()["spike"]

    assert stored["spike"] == leaderboard.board(spike, comparison.rows(spike))
