"""The log of a part: a line of JSON an event on standard output, with the trace it belongs to."""

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

from borough_telemetry.spans import current


def logger(part: str, level: str) -> Any:
    """A structlog logger; what is less severe than `level` costs next to nothing."""
    return structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[
            _trace_ids,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
        part=part,
    ).bind()


def _trace_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    span = current.get()
    if span is not None:
        event["trace_id"] = span.trace_id
        event["span_id"] = span.span_id
    return event
