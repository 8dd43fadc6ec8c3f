"""The dashboard *Is the shop open?*: orders and requests at the gateway, as customers see them."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.panels import build, line, lines, number, to_traces
from boards.promql import Scope, share
from borough_shop.orders.signals import ORDERS
from borough_telemetry.signals import SERVER_DURATION

TOLERATED = 0.001
"""The share of requests that may fail by the objective."""
SHOP = Scope(("namespace", "workload"))
DOOR = {"http_route": '=~"/v1/.+"'}
PLACING = {"http_request_method": '="POST"', "http_route": '="/v1/orders"'}
FAILED = {"http_response_status_code": '=~"5.."'}
"""Failures of the shop; a declined card or a wrong key is a valid response."""
ROUTE = ("http_request_method", "http_route")
LEGEND = "{{http_request_method}} {{http_route}}"

_asked = SHOP.per_second(SERVER_DURATION, where=DOOR)
_failed = SHOP.per_second(SERVER_DURATION, where=DOOR | FAILED)
_asked_shown = SHOP.within_range(SERVER_DURATION, where=DOOR)
_failed_shown = SHOP.within_range(SERVER_DURATION, where=DOOR | FAILED)
_asked_by_route = SHOP.per_second(SERVER_DURATION, *ROUTE, where=DOOR)
_failed_by_route = SHOP.per_second(SERVER_DURATION, *ROUTE, where=DOOR | FAILED)


def board() -> Dashboard:
    """The dashboard."""
    now = [
        number(
            "Orders placed per second",
            "Orders that were paid and will be delivered.",
            "none",
            line("placed", SHOP.per_second(ORDERS, where={"outcome": '="placed"'})),
        ),
        number(
            "Requests that worked",
            "The share of the requests at the door without a failure of the shop (5xx). A request"
            " that was refused for a valid reason counts as worked.",
            "percentunit",
            line("worked", f"1 - {share(_failed, _asked)}"),
            limits=((None, "red"), (1 - TOLERATED, "green")),
        ),
        number(
            "99 % of orders answered within",
            "Measured at the door, from the arrival of an order to the last byte of its response.",
            "s",
            line("p99", SHOP.quantile(0.99, SERVER_DURATION, where=PLACING)),
        ),
        number(
            "Error budget left",
            f"Objective: {100 * (1 - TOLERATED):g} % of the requests at the door work:"
            " the share of the tolerated failures that is left over the selected time range; below"
            " 0 the objective is missed.",
            "percentunit",
            line("left", f"1 - {share(_failed_shown, _asked_shown)} / {TOLERATED}").instant(),
            limits=((None, "red"), (0, "orange"), (0.25, "green")),
        ),
    ]
    orders = [
        lines(
            "Orders per second, by outcome",
            "The outcomes of orders. All but `abandoned` are regular: an abandoned order could not"
            " be finished in time and was reverted.",
            "none",
            line("{{outcome}} {{reason}}", SHOP.per_second(ORDERS, "outcome", "reason")),
            width=12,
        ),
        to_traces(
            lines(
                "How long an order takes",
                "At the door. Each dot is a request with a trace.",
                "s",
                *(
                    line(
                        f"p{100 * quantile:g} {{{{part}}}}",
                        SHOP.quantile(quantile, SERVER_DURATION, "part", where=PLACING),
                        exemplar=True,
                    )
                    for quantile in (0.5, 0.95, 0.99)
                ),
                width=12,
            ),
            operation="POST /v1/orders",
        ),
    ]
    door = [
        lines(
            "Requests per second, by route",
            "Requests of clients.",
            "reqps",
            line(LEGEND, _asked_by_route),
        ),
        lines(
            "Requests that failed, by route",
            "The share with a failure of the shop (5xx).",
            "percentunit",
            line(LEGEND, share(_failed_by_route, _asked_by_route)),
        ),
        to_traces(
            lines(
                "95 % answered within, by route",
                "From arrival to the last byte. Each dot is a request with a trace.",
                "s",
                line(
                    f"{{{{part}}}} {LEGEND}",
                    SHOP.quantile(0.95, SERVER_DURATION, "part", *ROUTE, where=DOOR),
                    exemplar=True,
                ),
            )
        ),
    ]
    return build(
        "Is the shop open?",
        "borough-is-the-shop-open",
        "Orders by outcome, the share of requests that worked, how long an order takes, and what"
        " is left of the error budget.",
        SHOP,
        {"Now": now, "Orders": orders, "The door": door},
    )
