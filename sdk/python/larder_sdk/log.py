"""Lines for the host's log, where they carry the plugin's name; natively they go to standard error."""

import sys

from wit_world.imports import log as host
from wit_world.imports.log import Level


def trace(message: str) -> None:
    """Each step, for the plugin's author."""
    _line(Level.TRACE, message)


def debug(message: str) -> None:
    """A decision, for the plugin's author."""
    _line(Level.DEBUG, message)


def info(message: str) -> None:
    """A rare event in the ordinary course."""
    _line(Level.INFO, message)


def warn(message: str) -> None:
    """Something that a person may want to look at."""
    _line(Level.WARN, message)


def error(message: str) -> None:
    """Something that a person must look at."""
    _line(Level.ERROR, message)


def _line(level: Level, message: str) -> None:
    try:
        host.log(level, message)
    except NotImplementedError:
        # The stubs of the contract: this is a native test.
        print(f"{level.name}: {message}", file=sys.stderr)
