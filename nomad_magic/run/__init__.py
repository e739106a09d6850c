"""One run of an action, from its line to its result."""
