"""What users did, kept by pseudonym."""
