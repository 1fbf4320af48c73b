"""Items that came, changed or went since the bundle was made."""
