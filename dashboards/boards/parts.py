"""The dashboard *Which part is slow?*: rate, errors and duration of each part and route, and
saturation.
"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.panels import Panel, build, line, lines, to_traces
from boards.promql import Scope, share
from borough import signals
from borough_telemetry.signals import ACTIVE_REQUESTS, CLIENT_DURATION, PROCESS, SERVER_DURATION

PARTS = Scope(("namespace", "workload", "part"))
ROUTE = ("part", "http_request_method", "http_route")
BY_ROUTE = "{{part}} {{http_request_method}} {{http_route}}"
POOL = ("part", "capability", "pool")
BY_POOL = "{{part}} {{capability}} {{pool}}"
FAILED = {"http_response_status_code": '=~"5.."'}
AWAITED = {"peer": '!="notifications"'}
OF_PROCESS = {signal.name: signal for signal in PROCESS}


def board() -> Dashboard:
    """The dashboard."""
    return build(
        "Which part is slow?",
        "borough-which-part-is-slow",
        "Requests, failures and durations of every part and route, and the saturation of event"
        " loop, store connections, CPU and memory.",
        PARTS,
        {
            "Parts": [*_requests(("part",), "{{part}}", "part", width=6), _waiting()],
            "Routes": _requests(ROUTE, BY_ROUTE, "route", width=8),
            "Saturation": _saturation(),
        },
    )


def _requests(by: tuple[str, ...], legend: str, noun: str, width: int) -> list[Panel]:
    """Rate, errors and duration."""
    asked = PARTS.per_second(SERVER_DURATION, *by)
    failed = PARTS.per_second(SERVER_DURATION, *by, where=FAILED)
    slow = PARTS.quantile(0.95, SERVER_DURATION, *by)
    return [
        lines(
            f"Requests per second, by {noun}",
            "From clients and from other parts; all pods together.",
            "reqps",
            line(legend, asked),
            width=width,
        ),
        lines(
            f"Requests that failed, by {noun}",
            "The share with a status of 5xx. A part also fails when a part that it calls fails: the"
            " one whose callees do not fail is the cause.",
            "percentunit",
            line(legend, share(failed, asked)),
            width=width,
        ),
        to_traces(
            lines(
                f"95 % answered within, by {noun}",
                "From a request's arrival to the last byte of its response, time in other parts"
                " included. Each dot is a request with a trace.",
                "s",
                line(legend, slow, exemplar=True),
                width=width,
            )
        ),
    ]


def _waiting() -> Panel:
    took = PARTS.per_second(SERVER_DURATION, "part", of="sum")
    waited = PARTS.per_second(CLIENT_DURATION, "part", where=AWAITED, of="sum")
    return lines(
        "Waiting for other parts",
        "The share of its requests' time in which a part waits for others: a slow part that waits"
        " little is slow itself. Delivery of events is left out, since no request waits for it.",
        "percentunit",
        line("{{part}}", share(waited, took)),
        width=6,
    )


def _saturation() -> list[Panel]:
    used, limit = (
        PARTS.now(signal, *POOL) for signal in (signals.STORE_CONNECTIONS, signals.STORE_LIMIT)
    )
    return [
        lines(
            "Event loop late, 99 %",
            "How late the event loop ran a timer, which is how long a request would have waited."
            " Above 0.05 s a part needs more CPU or more pods.",
            "s",
            line("{{part}}", PARTS.quantile(0.99, signals.LOOP_LAG, "part")),
        ),
        lines(
            "Requests in flight",
            "Requests being handled. Where they grow and the rate does not, requests wait.",
            "short",
            line("{{part}}", PARTS.now(ACTIVE_REQUESTS, "part")),
        ),
        lines(
            "Store connections in use",
            "The share of the pool's limit.",
            "percentunit",
            line(BY_POOL, f"{used} / {limit}"),
        ),
        lines(
            "Waiting for a store connection",
            "Requests that wait for one, on average: seconds of waiting per second.",
            "short",
            line(BY_POOL, PARTS.per_second(signals.STORE_WAIT, *POOL)),
        ),
        lines(
            "CPU",
            "Cores in use. One process can use one.",
            "short",
            line("{{part}}", PARTS.per_second(OF_PROCESS["process_cpu_seconds"], "part")),
        ),
        lines(
            "Memory",
            "Resident memory.",
            "bytes",
            line("{{part}}", PARTS.now(OF_PROCESS["process_resident_memory_bytes"], "part")),
        ),
    ]
