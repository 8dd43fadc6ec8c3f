"""Every setting of a part: its name, type, default and a sentence. Read once, at the start.

A wrong value or an unknown `BOROUGH_` variable stops the start with a message that names it.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    create_model,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

PREFIX = "BOROUGH_"

Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(ge=0, le=3_600)]
Positive = Annotated[float, Field(gt=0, le=3_600)]
Milliseconds = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class WrongSettings(Exception):
    """The environment has invalid settings; the message names each variable."""


class Fault(BaseModel):
    """A fault that is injected into one capability, for experiments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delay_ms: Annotated[float, Field(ge=0)] = 0
    error_rate: Share = 0
    crash_rate: Share = 0
    cpu_ms: Annotated[float, Field(ge=0)] = 0
    ballast_mib: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """The timeouts of serving, in seconds. Two of them are `Settings`."""

    keep_alive_s: float = 30
    """An idle connection is closed after this, and one that has not sent a whole request head."""
    in_flight_s: float = 30
    """When the part stops, requests in flight get this time to finish."""
    first_request_s: float = 0.5
    """When the part stops, a connection that was just made gets this time to send its request."""
    check_until_ready_s: float = 0.5
    """The pause between two readiness checks while the part is not ready."""
    check_while_ready_s: float = 5
    """The same while it is ready."""
    check_s: float = 10
    """A readiness check that takes longer has failed."""
    restart_pause_s: float = 1
    """A background loop that ended is started again after this."""


class Settings(BaseSettings):
    """Read from the environment, `BOROUGH_` before each name in capitals; maps are JSON."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    part: str = Field("", description="Name of this part in telemetry; else its capabilities.")
    shape: str = Field("", description="Shape of this part; decides what it serves to others.")
    shapes_file: Path | None = Field(None, description="Another shapes.toml.")
    peers: dict[str, tuple[str, ...]] = Field(
        {}, description='Addresses by capability: {"loans": ["http://loans:8081"]}.'
    )

    host: str = Field("127.0.0.1", description="Interface that all ports bind to.")
    public_port: Port = Field(8080, description="The doors. 0 takes any free port.")
    internal_port: Port = Field(8081, description="What other parts call. 0 takes any free port.")
    ops_port: Port = Field(9090, description="/livez /readyz /metrics. 0 takes any free port.")
    max_body_bytes: Annotated[int, Field(ge=1_024)] = Field(
        65_536, description="A larger request body is refused with 413."
    )
    drain_s: Seconds = Field(
        5, description="From SIGTERM to the stop; answers then end connections."
    )
    connection_max_age_s: Seconds = Field(
        30, description="An older connection, give or take, is closed after its answer; 0: never."
    )

    keep_alive_s: Positive = Field(
        30, description="An idle connection is closed after this; by a calling part at half of it."
    )
    in_flight_s: Seconds = Field(
        30,
        description="Time for requests in flight after the drain; a kubelet must wait longer.",
    )

    store: SecretStr = Field(
        SecretStr("sqlite:///data"),
        description="sqlite:///FOLDER or postgresql://USER:PASSWORD@HOST/DB; {capability} fits in.",
    )
    sqlite_synchronous: Literal["FULL", "NORMAL"] = Field(
        "FULL", description="FULL survives a power cut; NORMAL survives a crash of the process."
    )
    pool_size: Annotated[int, Field(ge=1, le=100)] = Field(
        5, description="Database connections a capability may hold."
    )

    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] = Field(
        2_000, description="Of a request at the door; a borough-timeout-ms header may shorten it."
    )

    reconcile_horizon_s: Seconds = Field(
        5, description="How long after its deadline unfinished work is settled, and audited."
    )
    outbox_interval_s: Positive = Field(
        0.5, description="How often a relay looks without a wake-up."
    )
    outbox_linger_s: Annotated[float, Field(ge=0, le=60)] = Field(
        0.01, description="How long a busy relay waits for more events of the same round."
    )
    outbox_lease_s: Positive = Field(
        10, description="After this lease another relay may deliver a row that was claimed."
    )
    outbox_retention_s: Annotated[float, Field(ge=0)] = Field(
        3_600, description="Sent rows are pruned after this."
    )

    call_timeout_ms: Milliseconds = Field(5_000, description="Of a call without a deadline.")
    connect_timeout_ms: Milliseconds = Field(
        500, description="An address of a peer that takes no connection within this is passed over."
    )
    read_timeout_ms: Milliseconds = Field(
        1_000, description="First try of a read at the gateway; the rest is for the second try."
    )
    resolve_interval_s: Positive = Field(2, description="How often addresses are looked up again.")

    trace_ratio: Share = Field(1.0, description="Share of requests traced, decided at the door.")
    otlp_endpoint: str = Field(
        "", description="OTLP collector, http://host:4318; empty: no export."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum log level."
    )
    access_log_ratio: Share = Field(
        0.01, description="Share of requests that leave a log line; of failures (5xx) all do."
    )
    faults: dict[str, Fault] = Field(
        {}, description='Faults for experiments: {"loans": {"delay_ms": 50, "error_rate": 0.1}}.'
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_url(cls, endpoint: str) -> str:
        url = urlsplit(endpoint)
        if endpoint and (url.scheme not in ("http", "https") or not url.hostname or url.port == 0):
            raise ValueError(f"{endpoint!r} is no address: it is http://HOST:PORT or https://...")
        return endpoint

    @property
    def timeouts(self) -> Timeouts:
        """The timeouts of serving, those that are settings included."""
        return Timeouts(keep_alive_s=self.keep_alive_s, in_flight_s=self.in_flight_s)


def with_fields_of(*models: type[BaseModel]) -> type[Settings]:
    """The settings of the kit, and beside them the fields of these models."""
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for model in models
        for name, field in model.model_fields.items()
    }
    return create_model("AppSettings", __base__=Settings, **fields)


def load(settings: type[Settings]) -> Settings:
    """Read the settings from the environment. Raises WrongSettings with a sentence for each invalid
    one.
    """
    known = {PREFIX + name.upper() for name in settings.model_fields}
    unknown = sorted(
        n for n in os.environ if n.upper().startswith(PREFIX) and n.upper() not in known
    )
    if unknown:
        raise WrongSettings(f"unknown settings: {', '.join(unknown)} (`borough config` lists them)")
    try:
        return settings()
    except ValidationError as error:
        raise WrongSettings("; ".join(_sentence(e) for e in error.errors())) from None
    except SettingsError as error:
        raise WrongSettings(f"{_named_in(error)}: maps are written as JSON") from None


def _sentence(error: Any) -> str:
    name, *inner = (str(step) for step in error["loc"])
    why = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{name.upper()}{''.join(f'[{step}]' for step in inner)}: {why}"


def _named_in(error: SettingsError) -> str:
    """The variable; the library names the field in the text of its error only."""
    found = re.search(r'field "(\w+)"', str(error))
    return PREFIX + found[1].upper() if found else str(error)
