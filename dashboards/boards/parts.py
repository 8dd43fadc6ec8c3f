"""Which part is slow? Rate, errors and duration of each, and whatever may be running out."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.house import Panel, build, line, lines, to_traces
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
    """The board."""
    return build(
        "Which part is slow?",
        "borough-which-part-is-slow",
        "Requests, failures and durations of every part and route, and what may be running out:"
        " event loop, connections of the stores, CPU, memory.",
        PARTS,
        {
            "Parts": [*_requests(("part",), "{{part}}", "part", width=6), _waiting()],
            "Routes": _requests(ROUTE, BY_ROUTE, "route", width=8),
            "What may be running out": _saturation(),
        },
    )


def _requests(by: tuple[str, ...], legend: str, noun: str, width: int) -> list[Panel]:
    """Rate, errors, duration."""
    asked = PARTS.per_second(SERVER_DURATION, *by)
    failed = PARTS.per_second(SERVER_DURATION, *by, where=FAILED)
    slow = PARTS.quantile(0.95, SERVER_DURATION, *by)
    return [
        lines(
            f"Requests per second, by {noun}",
            "From customers and from other parts; all pods together.",
            "reqps",
            line(legend, asked),
            width=width,
        ),
        lines(
            f"Requests that failed, by {noun}",
            "The share that was answered with 5xx. A part whose callee failed fails as well: the"
            " one that fails alone is the cause.",
            "percentunit",
            line(legend, share(failed, asked)),
            width=width,
        ),
        to_traces(
            lines(
                f"95 % answered within, by {noun}",
                "From a request's arrival to the last byte of its answer, waiting for other parts"
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
        "The share of the time its requests take in which a part waits for others: one that is slow"
        " and waits little is slow itself. Delivering events is left out: nobody awaits that.",
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
            "How late the event loop turned to a timer: what any request would have waited that"
            " came then. Above 0.05 s a part needs more CPU or more pods.",
            "s",
            line("{{part}}", PARTS.quantile(0.99, signals.LOOP_LAG, "part")),
        ),
        lines(
            "Requests in flight",
            "Being handled at this moment. Where it grows and the rate does not, they wait.",
            "short",
            line("{{part}}", PARTS.now(ACTIVE_REQUESTS, "part")),
        ),
        lines(
            "Store connections in use",
            "The share of the connections there can be.",
            "percentunit",
            line(BY_POOL, f"{used} / {limit}"),
        ),
        lines(
            "Waiting for a store connection",
            "How many requests wait for one, on average: seconds waited in a second.",
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
