"""A bundle behind HTTP: an ASGI application that denies by default. Knows no torch."""
