"""What all boards have in common: where they ask, what one chooses at the top, how panels look.

The JSON is Grafana's classic one, which every version from 10 to 13 loads. Data sources are
variables, so a board works wherever it is imported. A latency panel leads to the traces behind it:
its dots by the exemplars, its lines by a search for whatever took as long.
"""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import count
from string import ascii_uppercase
from urllib.parse import quote

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model

from boards.promql import Scope, Signal
from borough_telemetry.signals import BUILD_INFO

PROMETHEUS, JAEGER = "prometheus", "jaeger"
TAG = "borough"
HEIGHT, NUMBER_HEIGHT = 8, 4
Panel = timeseries.Panel | stat.Panel | statetimeline.Panel


def build(  # noqa: PLR0913  # the sides of a board
    title: str,
    uid: str,
    description: str,
    scope: Scope,
    rows: Mapping[str, Sequence[Panel]],
    *,
    among: Signal = BUILD_INFO,
) -> model.Dashboard:
    """A board: its rows by their headings, with panels from left to right, 24 columns a line. What
    one may choose at the top are the labels of the series of `among`.
    """
    board = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .time("now-30m", "now")
        .refresh("10s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(_to_the_others())
    )
    for kind in (PROMETHEUS, JAEGER):
        board.with_variable(
            dashboard.DatasourceVariable(f"{kind}_datasource")
            .label(f"{kind.title()} data source")
            .type(kind)
        )
    for place, name in enumerate(scope.variables):
        board.with_variable(_choice(name, Scope(scope.variables[:place]), among))
    ids = count(1)
    for heading, panels in rows.items():
        board.with_row(dashboard.Row(heading).id(next(ids)))
        for panel in panels:
            board.with_panel(panel.id(next(ids)))
    return board.build()


def line(legend: str, promql: str, *, exemplar: bool = False) -> prometheus.Dataquery:
    """One target of a panel: a series for each set of labels, called after them."""
    return (
        prometheus.Dataquery()
        .datasource(_source(PROMETHEUS))
        .expr(promql)
        .legend_format(legend)
        .range()
        .exemplar(exemplar)
    )


def lines(
    title: str, about: str, unit: str, *targets: prometheus.Dataquery, width: int = 8
) -> timeseries.Panel:
    """Series over time; the last and the greatest value of each stand in the legend."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(_source(PROMETHEUS))
        .unit(unit)
        .min(0)
        .height(HEIGHT)
        .span(width)
        .fill_opacity(8)
        .show_points(options.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)  # noqa: FBT003  # the builder's own word
            .display_mode(options.LegendDisplayMode.TABLE)
            .placement(options.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI))
    )
    for letter, target in zip(ascii_uppercase, targets, strict=False):
        panel.with_target(target.ref_id(letter))
    return panel


def number(
    title: str,
    about: str,
    unit: str,
    target: prometheus.Dataquery,
    *,
    limits: Sequence[tuple[float | None, str]] = ((None, "green"),),
) -> stat.Panel:
    """One value, large, with its course in the background. `limits` are colours, each with the
    value from which it holds, ascending; the first holds from None on.
    """
    steps = [model.Threshold(color=color, value=value) for value, color in limits]
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(_source(PROMETHEUS))
        .unit(unit)
        .height(NUMBER_HEIGHT)
        .span(6)
        .no_value("nobody asks")
        .thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
        .graph_mode(options.BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(target.ref_id("A"))
    )


def timeline(
    title: str,
    about: str,
    target: prometheus.Dataquery,
    states: Mapping[str, str],
    *,
    width: int = 24,
) -> statetimeline.Panel:
    """A lane a series, coloured by its state: `states` are colours by their words, in the order of
    their numbers, from 1.
    """
    words = {
        str(number): model.ValueMappingResult(text=text, color=color, index=number)
        for number, (text, color) in enumerate(states.items(), start=1)
    }
    return (
        statetimeline.Panel()
        .title(title)
        .description(about)
        .datasource(_source(PROMETHEUS))
        .unit("none")
        .mappings([model.ValueMap(options=words)])
        .height(HEIGHT)
        .span(width)
        .merge_values(True)  # noqa: FBT003  # the builder's own word
        .show_value(options.VisibilityMode.AUTO)
        .legend(common.VizLegendOptions().show_legend(False))  # noqa: FBT003  # as above
        .with_target(target.ref_id("A"))
    )


def to_traces(panel: timeseries.Panel, operation: str = "") -> timeseries.Panel:
    """A click on a line of this panel, which shows seconds by `part`, searches the traces of that
    part, of `operation` where one is named, that took at least as long.
    """
    link = _search(
        "Traces of ${__field.labels.part} that took at least as long",
        {
            "service": "${__field.labels.part}",
            "operation": operation,
            "minDuration": "${__value.raw}s",
        },
    )
    return panel.data_links([link])


def to_changes(panel: statetimeline.Panel, service: str, operation: str) -> statetimeline.Panel:
    """A click on a lane of this panel searches the traces of that operation of a service."""
    link = _search("Traces of the changes", {"service": service, "operation": operation})
    return panel.data_links([link])


def _search(title: str, wanted: Mapping[str, str]) -> dashboard.DashboardLink:
    """A link to the traces of the time that is shown for which this holds."""
    search = {
        "refId": "A",
        "datasource": {"type": JAEGER, "uid": f"${{{JAEGER}_datasource}}"},
        "queryType": "search",
        **wanted,
        "limit": 20,
    }
    pane = {
        "datasource": f"${{{JAEGER}_datasource}}",
        "queries": [search],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    panes = quote(json.dumps({"traces": pane}, separators=(",", ":")), safe="")
    kept = re.sub(r"%24%7B([\w.]+)%7D", r"${\1}", panes)  # Grafana fills in what it recognises
    return dashboard.DashboardLink(title).url(f"/explore?schemaVersion=1&panes={kept}")


def _choice(name: str, before: Scope, among: Signal) -> dashboard.QueryVariable:
    """What there is to choose, among what was chosen before."""
    several = name != "namespace"
    variable = (
        dashboard.QueryVariable(name)
        .label(name.title())
        .datasource(_source(PROMETHEUS))
        .query(f"label_values({before.series(among)}, {name})")
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(several)
        .include_all(several)
    )
    return variable.all_value(".+") if several else variable


def _source(kind: str) -> options.DataSourceRef:
    return options.DataSourceRef(type_val=kind, uid=f"${{{kind}_datasource}}")


def _to_the_others() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Borough")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)  # noqa: FBT003  # the builder's own word
        .keep_time(True)  # noqa: FBT003  # as above
        .include_vars(True)  # noqa: FBT003  # as above
    )
