"""Moved to `recdistill.language.hub`."""

from recdistill.language.hub import Located, locate

__all__ = ["Located", "locate"]
