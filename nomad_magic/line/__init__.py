"""What was typed, as the flags of an action."""
