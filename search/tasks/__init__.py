"""Tasks: what is trained. Importing this package imports no torch."""
