"""Executors run what the study decides: `ray_tune` is the product, `simulated` runs given curves on a virtual clock."""
