"""What people ask of a running study from any machine that reaches its database."""

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.columns import database_now
from storage.tables import LAUNCH, REQUEST


def ask_to_stop(connection: Connection, study_id: int, trial_id: int | None, asked_by: str) -> None:
    """Ask for the study to be stopped, or for one trial of it. `asked_by` in words: user and host."""
    row = {"study_id": study_id, "trial_id": trial_id, "asked_by": asked_by, "asked_at": database_now()}
    connection.execute(sa.insert(REQUEST).values(**row))


def who_stops_study(connection: Connection, study_id: int, launch_id: int) -> str | None:
    """Who asked for the study to be stopped since the launch began; what was asked before does not bind it."""
    began = sa.select(LAUNCH.c.started_at).where(LAUNCH.c.launch_id == launch_id).scalar_subquery()
    query = sa.select(REQUEST.c.asked_by).where(
        REQUEST.c.study_id == study_id, REQUEST.c.trial_id.is_(None), REQUEST.c.asked_at >= began
    )
    return connection.execute(query.order_by(REQUEST.c.request_id).limit(1)).scalar_one_or_none()


def who_stops_trial(connection: Connection, trial_id: int) -> str | None:
    """Who asked for the trial to be stopped, ever."""
    query = sa.select(REQUEST.c.asked_by).where(REQUEST.c.trial_id == trial_id)
    return connection.execute(query.order_by(REQUEST.c.request_id).limit(1)).scalar_one_or_none()
