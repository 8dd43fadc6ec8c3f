"""The rules a board keeps: those of Grafana's dashboard-linter that apply, and a few of the house.

Each rule has the linter's name where the linter has it, and yields a sentence for each breach. The
linter's `job` and `instance` are here what our Prometheus adds: `namespace`, `workload`, `part`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

from dashboards.promql import selectors
from e2e.queries import LABEL_VALUES, panels

Board = dict[str, Any]
Rule = Callable[[Board], Iterator[str]]

UNITS = {"bytes", "none", "percentunit", "reqps", "s", "short"}
"""Those of Grafana's that our boards need; it shows a number of any other unit without one."""
COLUMNS = 24
WINDOWS = {"rate": "$__rate_interval", "increase": "$__range"}
CHOICES = {("namespace", "workload", "part"), ("namespace", "scaler")}
"""The series of a part are chosen by the first, those of a scaler by the second."""
OPERATORS = "borough_operator_"
"""An operator looks after any namespaces: its own series are shown whichever is chosen."""
FORBIDDEN = {"job", "instance", "pod"}
"""Labels that name one process, or the way it was found."""


def template_datasource(board: Board) -> Iterator[str]:
    """Data sources are variables, named and labelled for their kind; the first is Prometheus."""
    sources = [v for v in _variables(board) if v["type"] == "datasource"]
    if [v["query"] for v in sources[:1]] != ["prometheus"]:
        yield "the first data source variable is not Prometheus"
    for source in sources:
        kind = source["query"]
        if (source["name"], source["label"]) != (
            f"{kind}_datasource",
            f"{kind.title()} data source",
        ):
            yield f"{source['name']} ({source['label']}) is not named for {kind}"


def template_label_promql(board: Board) -> Iterator[str]:
    """A variable's values are those of a label, of the series its predecessors leave."""
    before: list[str] = []
    for variable in _variables(board):
        if variable["type"] == "query":
            found = LABEL_VALUES.fullmatch(variable["query"])
            if found is None or found["label"] != variable["name"]:
                yield f"{variable['name']} is not label_values(SERIES, {variable['name']})"
            elif missing := [name for name in before if f"${name}" not in variable["query"]]:
                yield f"{variable['name']} does not heed {', '.join(missing)}"
            before.append(variable["name"])
    if not before or all(before != list(names[: len(before)]) for names in CHOICES):
        yield f"the variables are {before}, not the first of any of {sorted(CHOICES)}"


def template_on_time_change_reload(board: Board) -> Iterator[str]:
    """Values are looked up again when another time is shown."""
    for variable in _variables(board):
        if variable["type"] == "query" and variable["refresh"] != 2:
            yield f"{variable['name']} is not refreshed when the time changes"


def template_choices(board: Board) -> Iterator[str]:
    """All of something chosen means whatever has the label, however much that is."""
    for variable in _variables(board):
        if (
            variable["type"] == "query"
            and variable.get("includeAll")
            and variable["allValue"] != ".+"
        ):
            yield f"{variable['name']}: all is {variable['allValue']!r}"


def uneditable_dashboard(board: Board) -> Iterator[str]:
    """Who wants it otherwise changes the code, or saves a copy."""
    if board["editable"]:
        yield "it can be edited in place"


def identity(board: Board) -> Iterator[str]:
    """Links to a board outlive it: its uid is ours and stable; its title is its question."""
    if not re.fullmatch(r"borough-[a-z-]{1,32}", board["uid"]) or board.get("id") is not None:
        yield f"uid {board['uid']!r} with id {board.get('id')!r} is not stable"
    if not board["title"].endswith("?") or not board["description"]:
        yield "its title is no question, or nothing describes it"
    if "borough" not in board["tags"]:
        yield "it lacks the tag borough, by which boards find each other"


def panel_datasource(board: Board) -> Iterator[str]:
    """Panels, targets and variables ask the data source that is chosen at the top."""
    for asker, thing in _askers(board):
        if thing.get("datasource") != {"type": "prometheus", "uid": "${prometheus_datasource}"}:
            yield f"{asker} asks {thing.get('datasource')}"


def panel_title_description(board: Board) -> Iterator[str]:
    """A panel says what it shows, and what one learns from it."""
    for panel in panels(board):
        if not panel.get("title") or not (panel.get("description") or "").endswith("."):
            yield f"panel {panel['id']} {panel.get('title')!r} lacks a title or a sentence"


def panel_units(board: Board) -> Iterator[str]:
    """A number has a unit."""
    for panel in panels(board):
        if (unit := panel["fieldConfig"]["defaults"].get("unit")) not in UNITS:
            yield f"{panel['title']} has the unit {unit!r}"


def panel_no_targets(board: Board) -> Iterator[str]:
    """A panel asks something; its targets are distinct, and each names its series."""
    for panel in panels(board):
        targets = panel.get("targets", [])
        if not targets or max(Counter(t["refId"] for t in targets).values()) > 1:
            yield f"{panel['title']} has no targets, or two of one name"
        if any(not target.get("legendFormat") for target in targets):
            yield f"{panel['title']} has a target without a legend"


def panel_ids(board: Board) -> Iterator[str]:
    """A link to a panel leads to one panel."""
    ids = Counter(panel.get("id") for panel in board["panels"])
    yield from (
        f"{count} panels have the id {number}" for number, count in ids.items() if count > 1
    )


def panel_grid(board: Board) -> Iterator[str]:
    """Panels fill rows of 24 columns from the left, and none covers another."""
    places = [(p["title"], p["gridPos"]) for p in board["panels"]]
    for title, at in places:
        if at["x"] < 0 or at["w"] < 1 or at["h"] < 1 or at["x"] + at["w"] > COLUMNS:
            yield f"{title} is not within {COLUMNS} columns: {at}"
    for (one, a), (other, b) in combinations(places, 2):
        if (
            a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"]
            and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
        ):  # fmt: skip  # across, then down
            yield f"{one} covers {other}"
    tops = {at["y"] for _, at in places}
    filled = {y: sum(at["w"] for _, at in places if at["y"] == y) for y in tops}
    yield from (
        f"the row at {y} has {width} columns" for y, width in filled.items() if width != COLUMNS
    )


def target_rate_interval(board: Board) -> Iterator[str]:
    """A rate is taken over what Grafana knows to hold a few scrapes, a count over what is shown."""
    for asker, promql in _expressions(board):
        for asked in selectors(promql):
            if asked.window is not None and asked.window != WINDOWS.get(asked.function):
                yield f"{asker}: {asked.function} of {asked.metric} over {asked.window}"


def target_required_matchers(board: Board) -> Iterator[str]:
    """Every series is one that the variables choose, and none is of one process by name; only an
    operator's own are all shown.
    """
    chosen = [v["name"] for v in _variables(board) if v["type"] == "query"]
    for asker, promql in _expressions(board):
        for asked in selectors(promql):
            for name in chosen if not asked.metric.startswith(OPERATORS) else ():
                wanted = f"=${name}" if name == "namespace" else f"=~${name}"
                if asked.matchers.get(name) != wanted:
                    yield f"{asker}: {asked.metric} is not narrowed by {name}"
            if named := FORBIDDEN & asked.matchers.keys():
                yield f"{asker}: {asked.metric} is narrowed by {', '.join(named)}"


RULES: tuple[Rule, ...] = (
    template_datasource,
    template_label_promql,
    template_on_time_change_reload,
    template_choices,
    uneditable_dashboard,
    identity,
    panel_datasource,
    panel_title_description,
    panel_units,
    panel_no_targets,
    panel_ids,
    panel_grid,
    target_rate_interval,
    target_required_matchers,
)


def _variables(board: Board) -> list[dict[str, Any]]:
    variables: list[dict[str, Any]] = board["templating"]["list"]
    return variables


def _askers(board: Board) -> Iterator[tuple[str, dict[str, Any]]]:
    for variable in _variables(board):
        if variable["type"] == "query":
            yield f"variable {variable['name']}", variable
    for panel in panels(board):
        yield panel["title"], panel
        for target in panel["targets"]:
            yield f"{panel['title']}, {target['refId']}", target


def _expressions(board: Board) -> Iterator[tuple[str, str]]:
    for panel in panels(board):
        for target in panel["targets"]:
            yield f"{panel['title']}, {target['refId']}", target["expr"]
