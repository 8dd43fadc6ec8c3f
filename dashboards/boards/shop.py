"""Is the shop open? What customers would say, asked at the door and in the books of orders."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.house import build, line, lines, number, to_traces
from boards.promql import Scope, share
from borough_shop.orders.signals import ORDERS
from borough_telemetry.signals import SERVER_DURATION

TOLERATED = 0.001
"""The share of requests that may fail: what is promised is the rest."""
SHOP = Scope(("namespace", "workload"))
DOOR = {"http_route": '=~"/v1/.+"'}
PLACING = {"http_request_method": '="POST"', "http_route": '="/v1/orders"'}
FAILED = {"http_response_status_code": '=~"5.."'}
"""Failures of ours: a card that is declined, or a wrong key, was well refused."""
ROUTE = ("http_request_method", "http_route")
LEGEND = "{{http_request_method}} {{http_route}}"

_asked = SHOP.per_second(SERVER_DURATION, where=DOOR)
_failed = SHOP.per_second(SERVER_DURATION, where=DOOR | FAILED)
_asked_shown = SHOP.within_range(SERVER_DURATION, where=DOOR)
_failed_shown = SHOP.within_range(SERVER_DURATION, where=DOOR | FAILED)
_asked_by_route = SHOP.per_second(SERVER_DURATION, *ROUTE, where=DOOR)
_failed_by_route = SHOP.per_second(SERVER_DURATION, *ROUTE, where=DOOR | FAILED)


def board() -> Dashboard:
    """The board."""
    now = [
        number(
            "Orders placed per second",
            "Orders that were paid and will be delivered.",
            "none",
            line("placed", SHOP.per_second(ORDERS, where={"outcome": '="placed"'})),
        ),
        number(
            "Requests that worked",
            "The share of the requests at the door that were not answered with a failure of ours"
            " (5xx). What was refused for a good reason worked.",
            "percentunit",
            line("worked", f"1 - {share(_failed, _asked)}"),
            limits=((None, "red"), (1 - TOLERATED, "green")),
        ),
        number(
            "99 % of orders answered within",
            "By the door's clock, from the arrival of an order to the last byte of its answer.",
            "s",
            line("p99", SHOP.quantile(0.99, SERVER_DURATION, where=PLACING)),
        ),
        number(
            "Error budget left",
            f"We promise that {100 * (1 - TOLERATED):g} % of the requests at the door work. This is"
            " how much of what may fail has not failed yet, over the time that is shown; below 0"
            " the promise is broken.",
            "percentunit",
            line("left", f"1 - {share(_failed_shown, _asked_shown)} / {TOLERATED}").instant(),
            limits=((None, "red"), (0, "orange"), (0.25, "green")),
        ),
    ]
    orders = [
        lines(
            "Orders per second, by outcome",
            "What became of orders. All but `abandoned` are proper ends: an abandoned order could"
            " not be finished in time and was undone.",
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
            "What customers ask for.",
            "reqps",
            line(LEGEND, _asked_by_route),
        ),
        lines(
            "Requests that failed, by route",
            "The share that was answered with a failure of ours (5xx).",
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
