"""IPython and Jupyter: the magics and their views."""
