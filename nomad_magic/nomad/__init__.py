"""Talking to Nomad; knows nothing of IPython."""
