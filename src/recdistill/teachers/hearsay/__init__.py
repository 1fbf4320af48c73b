"""Teachers made of what someone's language model said elsewhere (`recdistill.data.hearsay` reads and joins it)."""
