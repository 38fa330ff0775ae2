"""Training one trial on one device."""
