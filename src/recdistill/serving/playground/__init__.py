"""A page to look at what is recommended, and what a teacher said: one document, nothing from elsewhere."""
