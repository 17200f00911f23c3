"""Lists a store's videos: their records, a catalogue of copies of the records, and later changes of their names."""
