"""What can be set of the running operator. Each field is an option of `run` and, with `PREFIX` and
in capitals, a variable of its environment.
"""

from dataclasses import dataclass

PREFIX = "BOROUGH_OPERATOR_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one operator runs."""

    namespaces: tuple[str, ...] = ()
    """Where scalers and targets are looked for; none: its own."""
    prometheus_url: str = ""
    """Empty: there is none, and the source Prometheus is off."""
    pods_source: bool = False
    """Whether pods may be read, which needs the right to list them."""
    ops_port: int = 9090
    otlp_endpoint: str = ""
    """Where spans go, such as http://collector:4318; empty: nowhere."""
    log_level: str = "info"
    resync_s: float = 300.0
    """Seconds between two full lists."""
