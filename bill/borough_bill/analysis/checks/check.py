"""What a check is: a file of its own because every check uses it, and so does the bill."""

from pydantic import BaseModel, ConfigDict

from borough_bill.analysis.families import Family


class Check(BaseModel):
    """A question, what was found, what was allowed, and one sentence.

    Where it fails, it voids the families `voids` and no others; `helps` says what to do about it,
    and `more` whether more blocks could mend it.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    question: str
    value: str
    limit: str
    passed: bool
    sentence: str
    voids: tuple[Family, ...]
    helps: str
    more: bool = False
