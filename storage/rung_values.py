"""What earlier trials had at a rung, ranked by the database: of ten thousand values a rule looks at five."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.tables import DECISION


@dataclass(frozen=True, slots=True)
class RungValues:
    """The values of a bracket's rung as a list of which every look is a query: best first, NaN left out, lower is better.

    Where the goal is to maximize, values are negated.
    """

    connection: Connection
    study_id: int
    rule: str
    bracket: int
    rung: int
    goal: str

    def __len__(self) -> int:
        query = sa.select(sa.func.count()).select_from(DECISION).where(self._here())
        return int(self.connection.execute(query).scalar_one())

    def __getitem__(self, place: int) -> float:
        value, maximize = DECISION.c.value, self.goal == "maximize"
        query = sa.select(value).where(self._here()).order_by(value.desc() if maximize else value.asc())
        row = self.connection.execute(query.limit(1).offset(place)).one_or_none()
        if row is None:
            raise IndexError(place)
        return -float(row.value) if maximize else float(row.value)

    def _here(self) -> sa.ColumnElement[bool]:
        columns = DECISION.c
        at_rung = (columns.rule == self.rule) & (columns.bracket == self.bracket) & (columns.rung == self.rung)
        return (columns.study_id == self.study_id) & at_rung & columns.value.is_not(None)
