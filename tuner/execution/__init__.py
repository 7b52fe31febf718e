"""Executors run what the study decides: `ray_tune` is the product, `simulated` runs given curves on a virtual clock."""

import logging

# Ray's import, in a notebook: advice to install ipywidgets
logging.getLogger("ray.widgets.util").setLevel(logging.ERROR)
