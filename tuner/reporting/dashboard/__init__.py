"""`tuner dashboard`: studies live in a browser. Needs the extra `dashboard` (Dash, its grid, waitress)."""

from tuner.reporting.dashboard.server import Served, serve

__all__ = ["Served", "serve"]
