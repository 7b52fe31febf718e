"""What is wrong with a command line, in one line, instead of typer's usage, hint and box."""

import re
from typing import Any

from tuner.errors import plain_line


def usage_error(error: Any) -> str:
    """A complaint of typer (of whichever click it brings along) as one plain line; empty when it has shown the help."""
    words = str(error.format_message()).strip().rstrip(".")
    if not words:
        return ""
    words = re.sub(r" \(Possible options?: (.*)\)$", r"; did you mean \1?", words)
    words = re.sub(r"\.? Did you mean '(.*?)'\?$", r"; did you mean \1?", words)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "tuner"
    way_out = " See" if words.endswith("?") else "; see"
    return plain_line(f"error: {command}: {words[0].lower()}{words[1:]}{way_out} {command} --help")
