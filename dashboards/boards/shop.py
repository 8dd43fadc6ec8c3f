"""The dashboard *Is the shop open?*: orders and requests at the gateway, as customers see them."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.panels import build, durations, line, line_by, lines, number
from boards.promql import Scope, share
from borough_shop.orders.signals import ORDERS
from borough_telemetry.signals import SERVER_DURATION

TOLERATED = 0.001
"""The share of requests that may fail by the objective."""
SHOP = Scope(("namespace", "workload"))
DOOR = {"http_route": '=~"/v1/.+"'}
PLACING = {"http_request_method": '="POST"', "http_route": '="/v1/orders"'}
FAILED = DOOR | {"http_response_status_code": '=~"5.."'}
"""Failures of the shop; a declined card or a wrong key is a valid response."""
ROUTE = ("http_request_method", "http_route")
LEGEND = "{{http_request_method}} {{http_route}}"


def board() -> Dashboard:
    """The dashboard."""
    both = (DOOR, FAILED)
    asked, failed = (SHOP.per_second(SERVER_DURATION, where=w) for w in both)
    asked_shown, failed_shown = (SHOP.within_range(SERVER_DURATION, where=w) for w in both)
    asked_by_route, failed_by_route = (
        SHOP.per_second(SERVER_DURATION, *ROUTE, where=w) for w in both
    )
    now = [
        number(
            "Orders placed per second",
            "Orders that were paid and will be delivered.",
            line("placed", SHOP.per_second(ORDERS, where={"outcome": '="placed"'})),
        ),
        number(
            "Requests that worked",
            "The share of the requests at the door without a failure of the shop (5xx). A request"
            " that was refused for a valid reason counts as worked.",
            line("worked", f"1 - {share(failed, asked)}"),
            unit="percentunit",
            limits=((None, "red"), (1 - TOLERATED, "green")),
        ),
        number(
            "99 % of orders answered within",
            "Measured at the door, from the arrival of an order to the last byte of its response.",
            line("p99", SHOP.quantile(0.99, SERVER_DURATION, where=PLACING)),
            unit="s",
        ),
        number(
            "Error budget left",
            f"Objective: {100 * (1 - TOLERATED):g} % of the requests at the door work:"
            " the share of the tolerated failures that is left over the selected time range; below"
            " 0 the objective is missed.",
            line("left", f"1 - {share(failed_shown, asked_shown)} / {TOLERATED}").instant(),
            unit="percentunit",
            limits=((None, "red"), (0, "orange"), (0.25, "green")),
        ),
    ]
    took = (
        line(
            f"p{100 * quantile:g} {{{{part}}}}",
            SHOP.quantile(quantile, SERVER_DURATION, "part", where=PLACING),
        )
        for quantile in (0.5, 0.95, 0.99)
    )
    orders = [
        lines(
            "Orders per second, by outcome",
            "The outcomes of orders. All but `abandoned` are regular: an abandoned order could not"
            " be finished in time and was reverted.",
            line_by(SHOP.per_second, ORDERS, "outcome", "reason"),
            width=12,
        ),
        durations(
            "How long an order takes",
            "At the door. Each dot is a request with a trace.",
            *took,
            operation="POST /v1/orders",
            width=12,
        ),
    ]
    slow = SHOP.quantile(0.95, SERVER_DURATION, "part", *ROUTE, where=DOOR)
    door = [
        lines(
            "Requests per second, by route",
            "Requests of clients.",
            line(LEGEND, asked_by_route),
            unit="reqps",
        ),
        lines(
            "Requests that failed, by route",
            "The share with a failure of the shop (5xx).",
            line(LEGEND, share(failed_by_route, asked_by_route)),
            unit="percentunit",
        ),
        durations(
            "95 % answered within, by route",
            "From arrival to the last byte. Each dot is a request with a trace.",
            line(f"{{{{part}}}} {LEGEND}", slow),
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
