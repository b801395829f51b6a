"""An HTTP server for many untrusted tenants: a new sandbox for every request."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("dayfly")
