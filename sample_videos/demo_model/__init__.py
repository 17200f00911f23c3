"""A small CLIP that knows the sample world: its architecture, its weights, and the programs that train and score it."""
