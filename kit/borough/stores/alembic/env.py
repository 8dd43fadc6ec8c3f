"""Alembic executes this file: it runs the revisions in the transaction that `upgrade` opened."""

from alembic import context

from borough.stores.sql import REVISIONS

context.configure(connection=context.config.attributes["connection"], version_table=REVISIONS)
context.run_migrations()
