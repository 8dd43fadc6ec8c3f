"""The load generator: workload, schedule, attack, recording and result."""

from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """Immutable values, of which no unknown one is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")
