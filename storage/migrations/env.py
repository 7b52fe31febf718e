"""Run by Alembic: our tables only, told from Optuna's by their prefix, on a connection that the caller has opened."""

from alembic import context

from storage.engine import VERSION_TABLE
from storage.tables import PREFIX, Base


def is_ours(item: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Whether a table, or what belongs to a table, is ours."""
    table = name if kind == "table" else getattr(getattr(item, "table", None), "name", None)
    return str(table or "").startswith(PREFIX)


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
