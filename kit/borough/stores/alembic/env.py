"""A separate file because Alembic executes one of this name: it runs the revisions in the
transaction that `migrate` opened. Constraints and indexes are named by the convention of `tables`.
"""

from alembic import context

from borough.stores.sql import REVISIONS
from borough.stores.statements import tables

context.configure(
    connection=context.config.attributes["connection"],
    version_table=REVISIONS,
    target_metadata=tables(),
)
context.run_migrations()
