"""Builds dashboards and panels: data sources, variables, appearance.

The JSON has Grafana's classic schema, which versions 10 to 13 load. Data sources are variables, so
a dashboard works in any Grafana. A latency panel links to its traces: dots by exemplars, lines by a
search for requests that took as long.
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


def build(  # noqa: PLR0913  # the properties of a dashboard
    title: str,
    uid: str,
    description: str,
    scope: Scope,
    rows: Mapping[str, Sequence[Panel]],
    *,
    among: Signal = BUILD_INFO,
) -> model.Dashboard:
    """A dashboard: rows by their headings, each with panels from left to right, 24 columns a line.
    The variables at the top select labels of the series of `among`.
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
        .link(_links())
    )
    for kind in (PROMETHEUS, JAEGER):
        board.with_variable(
            dashboard.DatasourceVariable(f"{kind}_datasource")
            .label(f"{kind.title()} data source")
            .type(kind)
        )
    for place, name in enumerate(scope.variables):
        board.with_variable(_variable(name, Scope(scope.variables[:place]), among))
    ids = count(1)
    for heading, panels in rows.items():
        board.with_row(dashboard.Row(heading).id(next(ids)))
        for panel in panels:
            board.with_panel(panel.id(next(ids)))
    return board.build()


def line(legend: str, promql: str, *, exemplar: bool = False) -> prometheus.Dataquery:
    """One query of a panel: a series for each set of labels, named by `legend`."""
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
    """Series over time; the legend shows the last value and the maximum."""
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
            .show_legend(True)  # noqa: FBT003  # the builder's API
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
    """One value, with its history in the background. `limits` are colours, each with the value from
    which it applies, ascending; the first applies from None.
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
        .no_value("no data")
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
    """A lane for each series, coloured by its state: `states` are colours by name, in the order of
    their numbers, from 1.
    """
    names = {
        str(number): model.ValueMappingResult(text=text, color=color, index=number)
        for number, (text, color) in enumerate(states.items(), start=1)
    }
    return (
        statetimeline.Panel()
        .title(title)
        .description(about)
        .datasource(_source(PROMETHEUS))
        .unit("none")
        .mappings([model.ValueMap(options=names)])
        .height(HEIGHT)
        .span(width)
        .merge_values(True)  # noqa: FBT003  # the builder's API
        .show_value(options.VisibilityMode.AUTO)
        .legend(common.VizLegendOptions().show_legend(False))  # noqa: FBT003  # as above
        .with_target(target.ref_id("A"))
    )


def to_traces(panel: timeseries.Panel, operation: str = "") -> timeseries.Panel:
    """Link the lines of this panel, seconds by `part`, to the traces of that part, and of
    `operation` where given, that took at least as long.
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
    """Link the lanes of this panel to the traces of that operation of a service."""
    link = _search("Traces of the changes", {"service": service, "operation": operation})
    return panel.data_links([link])


def _search(title: str, wanted: Mapping[str, str]) -> dashboard.DashboardLink:
    """A link to the traces of the selected time range with these properties."""
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
    kept = re.sub(r"%24%7B([\w.]+)%7D", r"${\1}", panes)  # Grafana replaces these
    return dashboard.DashboardLink(title).url(f"/explore?schemaVersion=1&panes={kept}")


def _variable(name: str, before: Scope, among: Signal) -> dashboard.QueryVariable:
    """The variable of a label, restricted by the variables before it."""
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


def _links() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Borough")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)  # noqa: FBT003  # the builder's API
        .keep_time(True)  # noqa: FBT003  # as above
        .include_vars(True)  # noqa: FBT003  # as above
    )
