"""Column types that come back as they went in, on SQLite as on PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import JSON, DateTime, MetaData
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
}


def tables() -> MetaData:
    """An empty set of tables, whose constraints are named by rule: a migration can find them."""
    return MetaData(naming_convention=_NAMES)


class Utc(TypeDecorator[datetime]):
    """A moment. SQLite keeps no time zone, so everything is kept in UTC and comes back aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: which moment is it?")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Document(TypeDecorator[Any]):
    """A value of any type pydantic knows, kept as JSON: read and written whole, never searched.
    pydantic writes and reads the text itself, which saves a pass over it each way.
    """

    impl = JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        dump = self._adapter.dump_json
        return lambda value: None if value is None else dump(value).decode()

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], Any]:
        validate = self._adapter.validate_json
        return lambda text: None if text is None else validate(text)
