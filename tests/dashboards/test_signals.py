"""Does every query ask for what there is, and as what it is?"""

import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from boards.promql import PLACE, InvalidQuery, Scope, share
from borough import signals
from borough_operator.running import signals as operators
from borough_shop.orders.signals import ORDERS
from borough_telemetry.signals import BUILD_INFO, SERVER_DURATION
from dashboards.promql import QUANTILE, bare_words, catalogue, grouped, selectors
from dashboards.rules import Board
from e2e.queries import LABEL_VALUES, panels

WORDS = {"sum", "avg", "max", "rate", "increase", "histogram_quantile", "or"}
"""Of PromQL, those our queries are made of."""
KNOWN = catalogue()
LAG = f"{signals.LOOP_LAG.name}_bucket"


def misuses(promql: str) -> list[str]:
    """What is wrong with how an expression uses our metrics; nothing, if nothing is."""
    found = [f"{word} is no word of ours" for word in sorted(bare_words(promql) - WORDS)]
    for asked in selectors(promql):
        if asked.metric not in KNOWN:
            found.append(f"there is no {asked.metric}")
            continue
        signal, use = KNOWN[asked.metric]
        if unknown := sorted(asked.matchers.keys() - {*signal.labels, *PLACE}):
            found.append(f"{asked.metric} has no label {', '.join(unknown)}")
        if unknown := sorted(grouped(promql) - {*signal.labels, *PLACE, "le"}):
            found.append(f"{asked.metric} cannot be summed by {', '.join(unknown)}")
        if (use == "gauge") != (asked.window is None):
            found.append(f"{asked.metric} is a {use}")
    quantiles = QUANTILE.findall(promql)
    if len(quantiles) != promql.count("histogram_quantile("):
        found.append("a quantile is not of the summed rates of buckets by le")
    buckets = [s.metric for s in selectors(promql) if KNOWN.get(s.metric, ("", ""))[1] == "bucket"]
    if sorted(buckets) != sorted(quantiles):
        found.append(f"of {buckets} only {quantiles} become quantiles")
    return found


def expressions(board: Board) -> list[str]:
    return [target["expr"] for panel in panels(board) for target in panel["targets"]]


def test_every_query_uses_metrics_as_what_they_are(board: Board) -> None:
    """A metric is in the catalogue with these labels; counters are rated, gauges are not, buckets
    become quantiles.
    """
    assert {promql: wrong for promql in expressions(board) if (wrong := misuses(promql))} == {}


def test_every_variable_queries_an_existing_metric(board: Board) -> None:
    """Choices come from a series that every part exposes, or that exists for every scaler."""
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found = LABEL_VALUES.fullmatch(variable["query"])
            assert found is not None
            (asked,) = selectors(found["series"])
            assert KNOWN[asked.metric][0] in (BUILD_INFO, operators.SCALER_INFO)


@pytest.mark.parametrize(
    ("promql", "wrong"),
    [
        ("sum(rate(borough_sales_total{}[5m]))", "there is no borough_sales_total"),
        ("sum(rate(borough_orders{}[5m]))", "there is no borough_orders"),
        ("sum(borough_orders_total{})", "borough_orders_total is a counter"),
        ("sum(rate(borough_retry_budget{}[5m]))", "borough_retry_budget is a gauge"),
        ('rate(borough_orders_total{sku="tea"}[5m])', "borough_orders_total has no label sku"),
        (
            "sum by (sku) (rate(borough_orders_total{}[5m]))",
            "borough_orders_total cannot be summed by sku",
        ),
        (
            f"sum(rate({LAG}{{}}[5m]))",
            f"of ['{LAG}'] only [] become quantiles",
        ),
        (
            f"histogram_quantile(0.9, sum by (part) (rate({LAG}{{}}[5m])))",
            "a quantile is not of the summed rates of buckets by le",
        ),
        ("borough_retry_budget", "borough_retry_budget is no word of ours"),
    ],
)
def test_a_misuse_is_found(promql: str, wrong: str) -> None:
    """Whatever would leave a panel empty, or fill it with nonsense."""
    assert wrong in misuses(promql)


def test_durations_and_reasons_lead_to_traces(board: Board) -> None:
    """All that asks for the durations of requests over time, which shows exemplars too, or for the
    reasons of scalers, and nothing else.
    """
    for panel in panels(board):
        links = panel["fieldConfig"]["defaults"].get("links", [])
        asks = [SERVER_DURATION.name + "_bucket" in t["expr"] for t in panel["targets"]]
        shows = [target["exemplar"] for target in panel["targets"]]
        assert shows == [asked and panel["type"] == "timeseries" for asked in asks], panel["title"]
        reasons = operators.REASON.series in panel["targets"][0]["expr"]
        assert bool(links) == (reasons or any(shows)), panel["title"]


def test_a_link_to_traces_is_a_search_that_grafana_understands(board: Board) -> None:
    """Once it is filled in: for the part of the line, for what took as long as the point; for the
    changes that the scaler of the lane made.
    """
    filled = {
        "${__field.labels.part}": "orders", "${__value.raw}": "0.25", "${__from}": "1",
        "${__to}": "2", "${jaeger_datasource}": "jaeger", "${namespace}": "shop",
        "${__field.labels.scaler}": "payments",
    }  # fmt: skip  # one glance
    slow = {"service": "orders", "minDuration": "0.25s"}
    changed = {"service": operators.SERVICE, "operation": operators.span_name("shop", "payments")}
    links = [
        link
        for panel in panels(board)
        for link in panel["fieldConfig"]["defaults"].get("links", [])
    ]
    assert links
    for link in links:
        url = link["url"]
        for name, value in filled.items():
            url = url.replace(name, value)
        assert "$" not in unquote(url)
        pane = json.loads(parse_qs(urlsplit(url).query)["panes"][0])["traces"]
        (search,) = pane["queries"]
        assert search.items() >= slow.items() or search.items() >= changed.items()
        assert (pane["datasource"], pane["range"]) == ("jaeger", {"from": "1", "to": "2"})


def test_query_that_does_not_fit_the_signal_is_refused() -> None:
    """A board that asks otherwise cannot be built."""
    scope = Scope(("namespace",))
    with pytest.raises(InvalidQuery, match="borough_retry_budget is a gauge, not a counter"):
        scope.per_second(signals.RETRY_BUDGET)
    with pytest.raises(InvalidQuery, match="borough_orders is a counter, not a gauge"):
        scope.now(ORDERS)
    with pytest.raises(InvalidQuery, match="borough_orders is a counter, not a histogram"):
        scope.quantile(0.5, ORDERS)
    with pytest.raises(InvalidQuery, match="borough_orders has no label sku"):
        scope.per_second(ORDERS, "sku")
    with pytest.raises(InvalidQuery, match="borough_orders has no label pod"):
        scope.per_second(ORDERS, where={"pod": '="x"'})


def test_state_is_queried_by_its_number() -> None:
    """In the order of the values, whichever of them is exposed; of gauges only."""
    scope = Scope(("namespace",))
    selector = 'borough_scaler_reason{namespace="$namespace", reason='
    assert scope.which(operators.REASON, "reason", ("A", "B"), "scaler") == (
        f'max by (scaler) (1 * {selector}"A"}} or 2 * {selector}"B"}})'
    )
    with pytest.raises(InvalidQuery, match="borough_scaler_changes is a counter, not a gauge"):
        scope.which(operators.CHANGES, "direction", ("up",))
    with pytest.raises(InvalidQuery, match="borough_scaler_reason has no label mood"):
        scope.which(operators.REASON, "mood", ("glad",))


def test_share_without_series_is_zero() -> None:
    """And a share in nothing is none, instead of a division by zero."""
    assert share("a", "b") == "(a or 0 * b) / (b > 0)"
