"""What a check is, and one that has nothing to look at."""

from pydantic import BaseModel, ConfigDict


class Check(BaseModel):
    """A question, what was found, what was allowed, and one sentence."""

    model_config = ConfigDict(frozen=True)

    name: str
    question: str
    value: str
    limit: str
    passed: bool
    sentence: str


def missing(name: str, question: str, limit: str, sentence: str) -> Check:
    """Failed: what was to be looked at is not there."""
    return Check(
        name=name, question=question, value="-", limit=limit, passed=False, sentence=sentence
    )
