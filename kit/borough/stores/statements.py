"""Tables, and SQL statements that are compiled once for each database, then executed with values.

Stores write their statements in SQLAlchemy Core, as constants of their module. Building an
expression at every call, and finding its compiled form by a cache key, costs many times what the
database needs for the statement (docs/adr/0014-statements-are-compiled-once.md has the figures).
"""

import json
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from functools import cached_property
from types import ModuleType, NoneType
from typing import Any, NamedTuple, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Executable,
    Float,
    MetaData,
    Select,
    String,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeDecorator

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
}


def tables() -> MetaData:
    """An empty MetaData with a naming convention, so that migrations can refer to constraints."""
    return MetaData(naming_convention=_NAMES)


class Utc(TypeDecorator[datetime]):
    """A time. SQLite stores no time zone, so values are stored in UTC, and read as aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: pass an aware datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Document(TypeDecorator[Any]):
    """A value of any type that pydantic knows, stored as JSON: read and written whole, never
    searched. pydantic reads and writes the text itself, which saves a pass over it each way.
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


_TYPES = (
    (bool, Boolean),
    (int, BigInteger),
    (float, Float),
    (str, String),
    (UUID, Uuid),
    (datetime, Utc),
)


def table(name: str, of: type[BaseModel], *, key: str) -> Table:
    """A table whose rows are messages: a column for each field, the primary key for `key`.

    `X | None` has the type of `X`. A field for whose class SQL has no type is a `Document`, JSON.
    Lengths, indexes and whether NULL is allowed are in the revisions alone.
    """
    columns = []
    for field, info in of.model_fields.items():
        kind = info.annotation
        if len(options := get_args(kind)) == 2 and NoneType in options:  # noqa: PLR2004  # X | None
            kind = next(each for each in options if each is not NoneType)
        found = [
            type_ for class_, type_ in _TYPES if isinstance(kind, type) and issubclass(kind, class_)
        ]
        columns.append(
            Column(field, found[0] if found else Document(kind), primary_key=field == key)
        )
    return Table(name, tables(), *columns)


Process = Callable[[Any], Any] | None
"""Converts a value for a driver, or a driver's result to a value; None: no conversion."""

POSTGRESQL: Dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]  # not typed in SQLAlchemy
SQLITE: Dialect = sqlite.dialect(paramstyle="qmark")


R = TypeVar("R")
Rows = Sequence[Any]
"""The rows that a statement returned: the columns are attributes."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a statement. `count` is the number of its rows, or of changed rows."""

    rows: Rows
    count: int

    def first(self) -> Any:
        """The first row; None where there is none."""
        return self.rows[0] if self.rows else None

    def of(self, kind: Callable[..., R]) -> tuple[R, ...]:
        """The rows as values of a class whose fields are named as the columns."""
        return tuple(kind(**row._asdict()) for row in self.rows)


class Compiled(NamedTuple):
    """A statement compiled for one dialect: `bind` converts values by name to its parameters, `row`
    a row of the driver to one with attributes; None where it returns no rows.
    """

    sql: str
    bind: Callable[[Mapping[str, Any]], list[Any]]
    row: Callable[[Sequence[Any]], Any] | None


@dataclass(eq=False)
class Statement:
    """One statement. If its construct depends on the dialect, as for ON CONFLICT, `build` is a
    function of SQLAlchemy's module for the dialect.

        FIND = Statement(select(loans).where(loans.c.loan_id == bindparam("loan_id")))
        ADD = Statement(lambda sql: sql.insert(loans).on_conflict_do_nothing())

    The effect of one that is not `durable` may be lost in a power cut, because it will be repeated:
    SQLite then does not wait for the disk; for PostgreSQL it makes no difference. A `brief` SELECT
    finds one row by a key: SQLite executes it on the event loop, since a switch to a thread would
    take longer.
    """

    build: Executable | Callable[[ModuleType], Executable]
    _: KW_ONLY
    durable: bool = True
    brief: bool = False

    @cached_property
    def reads(self) -> bool:
        """Whether it is a SELECT."""
        return isinstance(self._expression(sqlite), Select)

    @cached_property
    def sqlite(self) -> Compiled:
        """Compiled for sqlite3."""
        return _compile(self._expression(sqlite), SQLITE)

    @cached_property
    def postgresql(self) -> Compiled:
        """Compiled for asyncpg."""
        return _compile(self._expression(postgresql), POSTGRESQL)

    def _expression(self, sql: ModuleType) -> Executable:
        return self.build if isinstance(self.build, Executable) else self.build(sql)


def any_of(sql: ModuleType, column: Column[Any], name: str) -> ColumnElement[bool]:
    """`column` is one of the values in the list bound to `name`. One statement whatever the list's
    length, where IN (...) would be another statement for each.
    """
    if sql is sqlite:
        values = func.json_each(bindparam(name, type_=_JsonArray(column)))
        return column.in_(select(literal_column("value")).select_from(values))
    return column == any_(bindparam(name, type_=ARRAY(column.type)))


class _JsonArray(TypeDecorator[Any]):
    """A JSON list of a column's values, each as SQLite stores it."""

    impl = Text
    cache_ok = False

    def __init__(self, column: Column[Any]) -> None:
        super().__init__()
        self._process = _binding(column.type, SQLITE)

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps([self._process(v) if self._process else v for v in value])


def _compile(expression: Executable, dialect: Dialect) -> Compiled:
    assert isinstance(expression, ClauseElement)  # noqa: S101  # every executable of Core is one
    compiled = expression.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  # as every compiled statement
    columns = list(getattr(expression, "exported_columns", ()))  # selected, or RETURNING
    return Compiled(
        compiled.string,
        _binder([compiled.binds[name] for name in compiled.positiontup or ()], dialect),
        _maker(columns, dialect) if columns else None,
    )


def _binder(
    parameters: Sequence[BindParameter[Any]], dialect: Dialect
) -> Callable[[Mapping[str, Any]], list[Any]]:
    constants: dict[str, Any] = {}
    slots: list[tuple[str, Process]] = []
    for parameter in parameters:
        process = _binding(parameter.type, dialect)
        if parameter.required:
            slots.append((parameter.key, process))
        else:  # a literal of the statement
            value = parameter.effective_value
            constants[parameter.key] = process(value) if process else value
            slots.append((parameter.key, None))

    def bind(values: Mapping[str, Any]) -> list[Any]:
        if constants:
            values = {**values, **constants}
        return [process(values[name]) if process else values[name] for name, process in slots]

    return bind


def _maker(columns: Sequence[Any], dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
    names = [column.name for column in columns]
    row = namedtuple("Row", names)  # type: ignore[misc]  # noqa: PYI024  # known when it is compiled
    processed = [
        (at, process)
        for at, column in enumerate(columns)
        if (process := column.type.dialect_impl(dialect).result_processor(dialect, None))
    ]

    def make(raw: Sequence[Any]) -> Any:
        values = list(raw)
        for at, process in processed:
            values[at] = process(values[at])
        return row._make(values)

    return make


def _binding(type_: Any, dialect: Dialect) -> Process:
    process: Process = type_.dialect_impl(dialect).bind_processor(dialect)
    return process
