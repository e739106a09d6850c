"""A log of runs on the disk, and what it says of a saved notebook."""
