"""The sample world: short films whose truth is known because this package draws them."""
