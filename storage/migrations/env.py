"""Run by Alembic: our tables only, told from Optuna's by their prefix, on a connection that the caller has opened."""

from alembic import context

from storage.engine import VERSION_TABLE
from storage.migrations.scope import is_ours
from storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    include_object=is_ours,
    compare_type=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
