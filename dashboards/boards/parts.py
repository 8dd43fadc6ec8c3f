"""The dashboard *Which part is slow?*: rate, errors and duration of each part and route, and
saturation.
"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.panels import Panel, build, durations, line, line_by, lines
from boards.promql import Scope, share
from borough import signals
from borough_telemetry.signals import ACTIVE_REQUESTS, CLIENT_DURATION, PROCESS, SERVER_DURATION

PARTS = Scope(("namespace", "workload", "part"))
ROUTE = ("part", "http_request_method", "http_route")
POOL = ("part", "capability", "pool")
FAILED = {"http_response_status_code": '=~"5.."'}
AWAITED = {"peer": '!="notifications"'}
OF_PROCESS = {signal.name: signal for signal in PROCESS}


def _requests(by: tuple[str, ...], noun: str, width: int) -> list[Panel]:
    """Rate, errors and duration."""
    asked = PARTS.per_second(SERVER_DURATION, *by)
    failed = PARTS.per_second(SERVER_DURATION, *by, where=FAILED)
    slow = PARTS.quantile(0.95, SERVER_DURATION, *by)
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    return [
        lines(
            f"Requests per second, by {noun}",
            "From clients and from other parts; all pods together.",
            line(legend, asked),
            unit="reqps",
            width=width,
        ),
        lines(
            f"Requests that failed, by {noun}",
            "The share with a status of 5xx. A part also fails when a part that it calls fails: the"
            " one whose callees do not fail is the cause.",
            line(legend, share(failed, asked)),
            unit="percentunit",
            width=width,
        ),
        durations(
            f"95 % answered within, by {noun}",
            "From a request's arrival to the last byte of its response, time in other parts"
            " included. Each dot is a request with a trace.",
            line(legend, slow),
            width=width,
        ),
    ]


def board() -> Dashboard:
    """The dashboard."""
    took = PARTS.per_second(SERVER_DURATION, "part", of="sum")
    waited = PARTS.per_second(CLIENT_DURATION, "part", where=AWAITED, of="sum")
    waiting = lines(
        "Waiting for other parts",
        "The share of its requests' time in which a part waits for others: a slow part that waits"
        " little is slow itself. Delivery of events is left out, since no request waits for it.",
        line("{{part}}", share(waited, took)),
        unit="percentunit",
        width=6,
    )
    used, limit = (
        PARTS.now(signal, *POOL) for signal in (signals.STORE_CONNECTIONS, signals.STORE_LIMIT)
    )
    saturation = [
        lines(
            "Event loop late, 99 %",
            "How late the event loop ran a timer, which is how long a request would have waited."
            " Above 0.05 s a part needs more CPU or more pods.",
            line("{{part}}", PARTS.quantile(0.99, signals.LOOP_LAG, "part")),
            unit="s",
        ),
        lines(
            "Requests in flight",
            "Requests being handled. Where they grow and the rate does not, requests wait.",
            line_by(PARTS.now, ACTIVE_REQUESTS, "part"),
            unit="short",
        ),
        lines(
            "Store connections in use",
            "The share of the pool's limit.",
            line("{{part}} {{capability}} {{pool}}", f"{used} / {limit}"),
            unit="percentunit",
        ),
        lines(
            "Waiting for a store connection",
            "Requests that wait for one, on average: seconds of waiting per second.",
            line_by(PARTS.per_second, signals.STORE_WAIT, *POOL),
            unit="short",
        ),
        lines(
            "CPU",
            "Cores in use. One process can use one.",
            line_by(PARTS.per_second, OF_PROCESS["process_cpu_seconds"], "part"),
            unit="short",
        ),
        lines(
            "Memory",
            "Resident memory.",
            line_by(PARTS.now, OF_PROCESS["process_resident_memory_bytes"], "part"),
            unit="bytes",
        ),
    ]
    return build(
        "Which part is slow?",
        "borough-which-part-is-slow",
        "Requests, failures and durations of every part and route, and the saturation of event"
        " loop, store connections, CPU and memory.",
        PARTS,
        {
            "Parts": [*_requests(("part",), "part", width=6), waiting],
            "Routes": _requests(ROUTE, "route", width=8),
            "Saturation": saturation,
        },
    )
