"""Pre-trained language models as they come: found and read. Knows no recommender."""
