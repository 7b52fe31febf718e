"""The root of every error a user can cause; it imports nothing."""


class TunerError(Exception):
    """Something a user can put right. The message is complete: where, what was found, what is allowed, what to do."""


class InputError(TunerError, ValueError):
    """A file, an option or a value that cannot be used. Nothing was written, nothing was started."""


class TrainingError(TunerError, RuntimeError):
    """A trial cannot go on; the trial fails with this reason, the study goes on."""


class SettingError(InputError):
    """One key has a value that cannot be used; whoever knows the file adds its name and line."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key
        self.message = message
