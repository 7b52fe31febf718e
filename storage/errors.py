"""The root of this room's errors; each message is complete by itself and holds no password."""


class StorageError(Exception):
    """Something about the database that a user can put right."""


class DatabaseUnreachableError(StorageError, ConnectionError):
    """There is no such database, or nobody answers there."""


class DatabaseAwayError(StorageError, ConnectionError):
    """The database answered before and does not now; the study can be gone on with when it is back."""


class StudyNotFoundError(StorageError, LookupError):
    """The database holds no study of this name."""


class TrialNotFoundError(StorageError, LookupError):
    """The study has no trial of this number."""


class StudyChangedError(StorageError, ValueError):
    """The study was begun with another search space, and its trials would not be comparable with new ones."""


class NothingToStopError(StorageError, ValueError):
    """No launch of the study runs, or its trial has ended."""


class StudyBusyError(StorageError, RuntimeError):
    """Another launch of the study is alive."""
