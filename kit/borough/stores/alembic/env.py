"""A file of its own because Alembic executes one of this name: it runs the revisions in the
transaction that `migrate` opened.
"""

from alembic import context

from borough.stores.sql import REVISIONS

context.configure(connection=context.config.attributes["connection"], version_table=REVISIONS)
context.run_migrations()
