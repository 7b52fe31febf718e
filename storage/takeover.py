"""Trials of launches that died go to the living."""

from storage import launches
from storage.transaction import StudyTransaction


def take_over_dead_launches(transaction: StudyTransaction, but: int | None = None) -> list[str]:
    """End every dead launch of the study, but this one, and queue its trials again; returns a line about each."""
    connection, told = transaction.connection, []
    for other in launches.open_launches(connection, transaction.study_id):
        if other.launch_id == but or other.is_alive():
            continue
        died_at = launches.last_heartbeat(connection, other.launch_id)
        left = transaction.requeue_attempts_of(other.launch_id, "launch_died", died_at)
        launches.end_launch(connection, other.launch_id, "died", died_at)
        told.append(
            f"a launch that died (process {other.identity.pid}) left {len(left)} running trials; they go on first"
        )
    return told
