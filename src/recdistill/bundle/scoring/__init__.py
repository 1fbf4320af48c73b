"""From a state to the best items of a catalogue, exactly. No torch here."""
