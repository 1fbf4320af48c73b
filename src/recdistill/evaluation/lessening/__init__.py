"""What smaller forms of a student lose, on validation, and what they save."""
