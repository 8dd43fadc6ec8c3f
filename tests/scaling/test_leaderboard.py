"""Does the leaderboard say what happened, and can it be made again?"""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from borough_operator.__main__ import app
from borough_operator.simulator import origin, page, plot, report, traces
from borough_operator.simulator.leaderboard import (
    DOWN_WINDOWS,
    HPA_CPU,
    ORACLE,
    OURS,
    RATE_DOWN_WINDOWS,
    RATE_WINDOWS,
    STATIC,
    SWEPT,
    TARGETS,
    Comparison,
    Result,
)
from borough_operator.simulator.origin import Origin
from borough_operator.simulator.pods import model
from borough_operator.simulator.report import Leaderboard
from borough_operator.simulator.traces import Trace

STORED = Path(__file__).parents[2] / "docs" / "results" / "leaderboard.json"
SHORT = Trace("short", tuple([40.0] * 120 + [160.0] * 180 + [60.0] * 120))


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """The committed model."""
    return Comparison(model())


@pytest.fixture(scope="module")
def result(comparison: Comparison) -> Result:
    """Everybody on a short step."""
    return comparison.result(SHORT)


def test_every_policy_has_a_row_and_hpa_its_whole_sweep(result: Result) -> None:
    """The front of HPA on CPU is over all targets and all windows."""
    assert len({entry.policy for entry in result.rows}) == 2 + len(SWEPT) + 2
    assert len({entry.setting for entry in result.sweep}) == len(TARGETS) * len(DOWN_WINDOWS)
    assert {entry.policy for entry in result.sweep} == {HPA_CPU}


def test_nobody_is_better_than_the_oracle(result: Result) -> None:
    """Who violates nothing pays at least what it pays."""
    oracle = result.row(ORACLE).scores

    assert oracle.violations == result.row(STATIC).scores.violations == 0
    for entry in (*result.rows, *result.sweep):
        if entry.scores.violations == 0:
            assert entry.scores.replica_hours >= oracle.replica_hours


def test_a_look_at_a_policy_again_shows_the_same(comparison: Comparison, result: Result) -> None:
    """A row can be drawn without having kept every second of it."""
    for entry in result.rows:
        lived = comparison.timeline(SHORT, entry.make())

        assert sum(second.violated for second in lived.seconds) == entry.scores.violations


def test_what_is_stored_is_read_as_it_was(result: Result, tmp_path: Path) -> None:
    """A page made from the file is the page of the run."""
    board = report.board(result)
    found = Leaderboard((board,), 2.0, Origin("0.1.0", "abc"))
    report.write(found, tmp_path / "result.json")

    assert report.read(tmp_path / "result.json") == found
    text = page.page(found)
    assert "All loads are multiplied by 2." in text
    assert "Of borough-operator 0.1.0, commit abc.\n" in text
    for row in board.rows:
        told = row.scores
        start = f"| {row.policy} | {row.setting} | {told.violations} | {told.replica_hours:.2f} |"
        assert start in text


def test_the_page_says_where_loads_come_from_and_how_it_is_made_again(result: Result) -> None:
    """A recorded load is credited; the command names every trace, and files as files."""
    board = report.board(result)
    boards = tuple(replace(board, trace=name) for name in ("step", "noisy"))
    text = page.page(Leaderboard(boards, 1.0, Origin("0.1.0", "abc")))

    assert "`noisy` are recorded loads" in text
    assert "microsoft/autothrottle" in text
    assert 'ARGS="--trace step --trace noisy.txt --json docs/results/leaderboard.json"' in text


def test_all_traces_together_are_the_sums_of_each(result: Result) -> None:
    """Twice the same trace is twice its violations, and the same share."""
    board = report.board(result)
    own = board.row(OURS).scores.violations
    (front,) = (judged.front_violations for judged in board.judged if judged.policy == OURS)
    assert front > own > 0
    text = page.page(Leaderboard((board, board), 1.0, Origin("0.1.0", "abc")))

    told = f"ours, {2 * own} violation-seconds, HPA {2 * front:.0f}, which is {own / front:.0%};"
    assert told in text


def test_the_goal_on_reversals_has_an_outcome_for_every_pair_of_windows(result: Result) -> None:
    """At most a third of the reversals of HPA on rate, at the target nearest to our cost."""
    board = report.board(result)
    hours = board.row(OURS).scores.replica_hours
    rates = {entry.setting: entry.scores for entry in result.rate_sweep}

    assert len(board.rate) == len(RATE_DOWN_WINDOWS) * len(RATE_WINDOWS)
    for row in board.rate:
        windows = row.setting.partition(", ")[2]
        near = min(
            abs(told.replica_hours - hours) for name, told in rates.items() if windows in name
        )
        assert abs(row.scores.replica_hours - hours) == near

    told = board.rows[0].scores
    for ours, theirs, met in ((0, 0, True), (2, 6, True), (2, 5, False), (1, 0, False)):
        assert (
            replace(told, reversals=ours).meets_reversal_goal(replace(told, reversals=theirs))
            is met
        )


def test_what_is_no_leaderboard_is_refused_by_name(tmp_path: Path) -> None:
    """A file of something else is not a trace-back."""
    path = tmp_path / "other.json"
    for text in ("{}", "no", '{"scale": 1, "traces": [{"rows": []}]}'):
        path.write_text(text)
        with pytest.raises(report.BrokenResult, match=re.escape(str(path))):
            report.read(path)


def test_the_pictures_are_drawn_and_the_same_twice(
    comparison: Comparison, result: Result, tmp_path: Path
) -> None:
    """A generated file that changed by itself would never be committed with confidence."""
    boards = (report.board(result),)
    for name in ("a.svg", "b.svg"):
        plot.fronts(boards, tmp_path / name)
    plot.timelines([result], comparison, tmp_path / "lines.png")

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "lines.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_takes_files_and_prints_every_row(tmp_path: Path) -> None:
    """`--trace FILE` is any file of one number a line; `--json` and `--plot` write theirs."""
    path = tmp_path / "evening.txt"
    path.write_text("\n".join(f"{rate:g}" for rate in SHORT.load))
    stored, drawn = tmp_path / "out.json", tmp_path / "out.svg"

    options = ["--scale", "0.5", "--json", f"{stored}", "--plot", f"{drawn}"]
    told = CliRunner().invoke(app, ["leaderboard", "--trace", f"{path}", *options])

    assert told.exit_code == 0, told.output
    assert "evening: 420 s" in told.output
    assert all(f"\n{policy}" in told.output for policy in (OURS, *SWEPT, STATIC, ORACLE))
    assert report.read(stored).scale == 0.5
    assert "<svg" in drawn.read_text()


def test_the_command_refuses_what_is_no_trace_in_a_sentence(tmp_path: Path) -> None:
    """With status 2, the file and the line."""
    path = tmp_path / "wrong.txt"
    path.write_text("1\ntwo\n")

    told = CliRunner().invoke(app, ["leaderboard", "--trace", f"{path}"])

    assert told.exit_code == 2
    assert 'line 2: "two" is not a number' in told.output


@pytest.mark.parametrize(
    ("option", "name", "complaint"),
    [
        ("--json", "nowhere/out.json", "No such file or directory"),
        ("--plot", "nowhere/out.svg", "No such file or directory"),
        ("--plot", "out.foo", "out.foo is not a picture: its name must end in .svg or .png"),
    ],
)
def test_the_command_refuses_what_it_cannot_write_before_it_begins(
    tmp_path: Path, option: str, name: str, complaint: str
) -> None:
    """Not with a trace-back, and not after minutes of work."""
    told = CliRunner().invoke(app, ["leaderboard", option, f"{tmp_path / name}"])

    assert told.exit_code == 2
    assert complaint in told.output
    assert "requests a second" not in told.output


def test_a_picture_without_its_extra_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to install."""
    monkeypatch.setattr(plot, "find_spec", lambda _: None)

    told = CliRunner().invoke(app, ["leaderboard", "--plot", f"{tmp_path / 'out.svg'}"])

    assert told.exit_code == 2
    assert "borough-operator[plot]" in told.output


def test_a_result_knows_the_code_that_made_it(tmp_path: Path) -> None:
    """By its commit; outside a repository by its version only."""
    assert re.fullmatch(r"unknown|[0-9a-f]{12}(-dirty)?", origin.here().commit)

    outside = origin.here(tmp_path)
    assert outside.commit == origin.UNKNOWN
    assert outside.version


def test_the_shortest_and_the_emptiest_trace_have_a_leaderboard_too(tmp_path: Path) -> None:
    """Somebody's file may hold two seconds, or a night without a request."""
    short, idle = tmp_path / "short.txt", tmp_path / "idle.txt"
    short.write_text("5\n9\n")
    idle.write_text("0\n" * 70)

    told = CliRunner().invoke(app, ["leaderboard", "--trace", f"{short}", "--trace", f"{idle}"])

    assert told.exit_code == 0, told.output
    assert "idle: 70 s, 0 requests a second" in told.output


def test_simulate_tells_each_change_and_its_reason(tmp_path: Path) -> None:
    """One line a change, then what it came to."""
    path = tmp_path / "evening.txt"
    path.write_text("\n".join(f"{rate:g}" for rate in SHORT.load))

    told = CliRunner().invoke(app, ["simulate", "--trace", f"{path}"])

    assert told.exit_code == 0, told.output
    assert len([line for line in told.output.splitlines() if " -> " in line]) >= 2
    assert "replica-hours" in told.output.splitlines()[-1]


def test_the_committed_result_has_every_synthetic_trace() -> None:
    """And its rows are those of today's policies, in their order."""
    found = report.read(STORED)
    boards = found.boards

    assert found.scale == 1.0
    assert {board.trace for board in boards} >= set(traces.synthetic())
    for board in boards:
        assert [row.policy for row in board.rows][-2:] == [STATIC, ORACLE]
        assert {row.policy for row in board.rows} >= {OURS, *SWEPT}


def test_the_committed_result_is_what_today_s_code_comes_to(comparison: Comparison) -> None:
    """On the trace that asks most: whoever changes a decision measures anew."""
    stored = {board.trace: board for board in report.read(STORED).boards}

    assert stored["spike"] == report.board(comparison.result(traces.synthetic()["spike"]))
