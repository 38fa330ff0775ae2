"""What to try, and training it: spaces, samplers, pruners, studies, workers."""
