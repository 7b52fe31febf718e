"""Which tables are ours: migrations and the check against them leave Optuna's alone."""

from storage.tables import PREFIX


def is_ours(item: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Whether a table, or what belongs to a table, is ours: Alembic's `include_object`."""
    table = name if kind == "table" else getattr(getattr(item, "table", None), "name", None)
    return str(table or "").startswith(PREFIX)
