"""One run of an action, from its line to its result.

Not `run`: that is the name of the function.
"""
