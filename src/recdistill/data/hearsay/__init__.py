"""What someone's language model said elsewhere: read from files as they are, joined by key, reported, and checked for
what it could not have known."""
