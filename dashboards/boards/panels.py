"""Builds dashboards and panels: data sources, variables, appearance.

The JSON has Grafana's classic schema, which versions 10 to 13 load. Data sources are variables, so
a dashboard works in any Grafana. A latency panel links to its traces: dots by exemplars, lines by a
search for requests that took as long.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from string import ascii_uppercase
from typing import TypeVar
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
P = TypeVar("P", timeseries.Panel, stat.Panel, statetimeline.Panel)


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
    board = dashboard.Dashboard(title).uid(uid).description(description).tags([TAG]).readonly()
    board.timezone("browser").time("now-30m", "now").refresh("10s")
    link = dashboard.DashboardLink("Borough").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    link.as_dropdown(True).keep_time(True).include_vars(True)  # noqa: FBT003  # the builder's API
    board.tooltip(model.DashboardCursorSync.CROSSHAIR).link(link)
    for kind in (PROMETHEUS, JAEGER):
        source = dashboard.DatasourceVariable(f"{kind}_datasource").type(kind)
        board.with_variable(source.label(f"{kind.title()} data source"))
    for place, name in enumerate(scope.variables):
        board.with_variable(_variable(name, Scope(scope.variables[:place]), among))
    ids = count(1)
    for heading, panels in rows.items():
        board.with_row(dashboard.Row(heading).id(next(ids)))
        for panel in panels:
            board.with_panel(panel.id(next(ids)))
    return board.build()


def line(legend: str, promql: str) -> prometheus.Dataquery:
    """One query of a panel: a series for each set of labels, named by `legend`."""
    query = prometheus.Dataquery().datasource(_source(PROMETHEUS)).expr(promql)
    return query.legend_format(legend).range().exemplar(False)  # noqa: FBT003  # the builder's API


def line_by(query: Callable[..., str], signal: Signal, *labels: str) -> prometheus.Dataquery:
    """One query of a panel: a series for each set of these labels, named by them."""
    legend = " ".join(f"{{{{{label}}}}}" for label in labels)
    return line(legend, query(signal, *labels))


def _described(panel: P, title: str, about: str, unit: str, size: tuple[int, int]) -> P:
    panel.title(title).description(about).datasource(_source(PROMETHEUS)).unit(unit)
    panel.height(size[0]).span(size[1])
    return panel


def lines(
    title: str, about: str, *targets: prometheus.Dataquery, unit: str = "none", width: int = 8
) -> timeseries.Panel:
    """Series over time; the legend shows the last value and the maximum."""
    legend = common.VizLegendOptions().show_legend(True)  # noqa: FBT003  # the builder's API
    legend.display_mode(options.LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])
    legend.placement(options.LegendPlacement.BOTTOM)
    panel = _described(timeseries.Panel(), title, about, unit, (HEIGHT, width)).min(0)
    panel.fill_opacity(8).show_points(options.VisibilityMode.NEVER).legend(legend)
    panel.tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI))
    for letter, target in zip(ascii_uppercase, targets, strict=False):
        panel.with_target(target.ref_id(letter))
    return panel


def number(
    title: str,
    about: str,
    target: prometheus.Dataquery,
    *,
    unit: str = "none",
    limits: Sequence[tuple[float | None, str]] = ((None, "green"),),
) -> stat.Panel:
    """One value, with its history in the background. `limits` are colours, each with the value from
    which it applies, ascending; the first applies from None.
    """
    steps = [model.Threshold(color=color, value=value) for value, color in limits]
    colours = dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)
    panel = _described(stat.Panel(), title, about, unit, (NUMBER_HEIGHT, 6)).no_value("no data")
    panel.thresholds(colours).graph_mode(options.BigValueGraphMode.AREA)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.with_target(target.ref_id("A"))


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
    panel = _described(statetimeline.Panel(), title, about, "none", (HEIGHT, width))
    panel.mappings([model.ValueMap(options=names)]).show_value(options.VisibilityMode.AUTO)
    panel.merge_values(True).legend(common.VizLegendOptions().show_legend(False))  # noqa: FBT003  # the builder's API
    return panel.with_target(target.ref_id("A"))


def durations(
    title: str, about: str, *targets: prometheus.Dataquery, operation: str = "", width: int = 8
) -> timeseries.Panel:
    """Seconds by `part`, with exemplars. The lines link to the traces of that part, and of
    `operation` where given, that took at least as long.
    """
    part, least = "${__field.labels.part}", "${__value.raw}s"
    wanted = {"service": part, "operation": operation, "minDuration": least}
    link = _search(f"Traces of {part} that took at least as long", wanted)
    shown = (target.exemplar(True) for target in targets)  # noqa: FBT003  # the builder's API
    return lines(title, about, *shown, unit="s", width=width).data_links([link])


def to_changes(panel: statetimeline.Panel, service: str, operation: str) -> statetimeline.Panel:
    """Link the lanes of this panel to the traces of that operation of a service."""
    link = _search("Traces of the changes", {"service": service, "operation": operation})
    return panel.data_links([link])


def _search(title: str, wanted: Mapping[str, str]) -> dashboard.DashboardLink:
    """A link to the traces of the selected time range with these properties."""
    source, span = f"${{{JAEGER}_datasource}}", {"from": "${__from}", "to": "${__to}"}
    where = {"type": JAEGER, "uid": source}
    search = {"refId": "A", "datasource": where, "queryType": "search", **wanted, "limit": 20}
    pane = {"datasource": source, "queries": [search], "range": span}
    panes = quote(json.dumps({"traces": pane}, separators=(",", ":")), safe="")
    kept = re.sub(r"%24%7B([\w.]+)%7D", r"${\1}", panes)  # Grafana replaces these
    return dashboard.DashboardLink(title).url(f"/explore?schemaVersion=1&panes={kept}")


def _variable(name: str, before: Scope, among: Signal) -> dashboard.QueryVariable:
    """The variable of a label, restricted by the variables before it."""
    several = name != "namespace"
    variable = dashboard.QueryVariable(name).label(name.title()).datasource(_source(PROMETHEUS))
    variable.query(f"label_values({before.series(among)}, {name})").multi(several)
    variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).include_all(several)
    variable.sort(model.VariableSort.ALPHABETICAL_ASC)
    return variable.all_value(".+") if several else variable


def _source(kind: str) -> options.DataSourceRef:
    return options.DataSourceRef(type_val=kind, uid=f"${{{kind}_datasource}}")
