"""Many trials of one task at once on one device: one stacked model, a lane for each trial."""
