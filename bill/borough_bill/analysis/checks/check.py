"""The outcome of a check: a file of its own because every check uses it, and so does the bill."""

from pydantic import BaseModel, ConfigDict

from borough_bill.analysis.families import Family


class Check(BaseModel):
    """A question, the value that was found, the limit, and the answer as one sentence.

    A failed check voids the families `voids` and no others. `remedy` says what to do about it, and
    `more_blocks_help` whether it could pass with more blocks.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    question: str
    value: str
    limit: str
    passed: bool
    sentence: str
    voids: tuple[Family, ...]
    remedy: str
    more_blocks_help: bool = False
