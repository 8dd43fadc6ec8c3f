"""The errors of capabilities. The class of an error has its code, HTTP status and title.

Over HTTP an error is a problem document (RFC 9457, `application/problem+json`), and the caller
raises the same class again: business code does not depend on the transport.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

PROBLEM_MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One value that breaks a rule: its location and the reason."""

    model_config = ConfigDict(frozen=True)

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem document. `code` is stable and for machines, `detail` is for people. Its
    other members are ids of the application, by name: see `about`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    fields: tuple[FieldProblem, ...] = ()
    retry_after: int | None = None
    trace_id: str | None = None

    @property
    def about(self) -> dict[str, str]:
        """The extension members that are text: ids of what the error is about."""
        members = self.model_extra or {}
        return {name: value for name, value in members.items() if isinstance(value, str)}


class BoroughError(Exception):
    """The base class. Its message is one sentence that may be shown to the caller."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    _by_code: ClassVar[dict[str, type["BoroughError"]]] = {}

    def __init__(
        self,
        detail: str,
        *,
        fields: tuple[FieldProblem, ...] = (),
        retry_after: int | None = None,
        about: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields
        self.retry_after = retry_after
        self.about = dict(about)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in vars(cls):
            BoroughError._by_code[cls.code] = cls

    def problem(self, *, trace_id: str | None = None) -> Problem:
        """This error as a problem document."""
        return Problem(
            type=f"urn:borough:problem:{self.code}",
            title=self.title,
            status=self.status,
            detail=self.detail,
            code=self.code,
            fields=self.fields,
            retry_after=self.retry_after,
            trace_id=trace_id,
            **self.about,
        )

    @staticmethod
    def from_problem(problem: Problem) -> "BoroughError":
        """The error of a document. An unknown code becomes the general error of its status, so that
        an older part can call a newer one.
        """
        kind = BoroughError._by_code.get(problem.code) or BoroughError._by_status(problem.status)
        return kind(
            problem.detail,
            fields=problem.fields,
            retry_after=problem.retry_after,
            about=problem.about,
        )

    @staticmethod
    def _by_status(status: int) -> type["BoroughError"]:
        for kind in BoroughError._by_code.values():
            if kind.status == status and kind.__base__ in {Refused, Failed}:
                return kind
        return Invalid if 400 <= status < 500 else Internal  # noqa: PLR2004  # the classes of HTTP


class Refused(BoroughError):
    """The caller must change the request; repeating it does not help."""


class Malformed(Refused):  # the bytes are not a message
    code, status, title = "malformed", 400, "Malformed request"


class Unauthenticated(Refused):  # no API key, or an unknown one
    code, status, title = "unauthenticated", 401, "Unknown API key"


class NotFound(Refused):  # also what the caller may not see
    code, status, title = "not-found", 404, "Not found"


class NotHosted(NotFound):  # this part does not host what was asked of it
    code, title = "not-hosted", "Not hosted here"


class WrongMethod(Refused):
    code, status, title = "method-not-allowed", 405, "Method not allowed"


class Conflict(Refused):
    code, status, title = "conflict", 409, "Conflict"


class TooLarge(Refused):
    code, status, title = "too-large", 413, "Body too large"


class WrongMediaType(Refused):
    code, status, title = "wrong-media-type", 415, "Wrong media type"


class Invalid(Refused):  # values break a rule; `fields` says which
    code, status, title = "invalid", 422, "Invalid message"


class RateLimited(Refused):  # until `retry_after` seconds have passed
    code, status, title = "rate-limited", 429, "Too many requests"


class Failed(BoroughError):
    """The request is valid, but could not be served."""


class Internal(Failed):  # a defect; the detail stays in the log
    code, status, title = "internal", 500, "Internal error"


class Unavailable(Failed):  # no answer, or known not to answer for `retry_after` seconds
    code, status, title = "unavailable", 503, "Unavailable"


class DeadlineExceeded(Failed):  # the outcome is unknown
    code, status, title = "deadline-exceeded", 504, "Deadline exceeded"
