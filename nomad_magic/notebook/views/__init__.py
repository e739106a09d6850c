"""How a run is shown in a cell."""
