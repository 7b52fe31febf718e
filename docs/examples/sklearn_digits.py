"""A trainer of one's own with scikit-learn: a multi-layer perceptron on the bundled handwritten digits.

Run it from this folder:

    tuner launch sklearn_digits.yaml

A trainer is a class: made once for each configuration, then asked for one epoch after another. It does not count epochs,
stop itself or write anything down; that is the study's.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

DIGITS = range(10)


class MlpTrainer:
    """`configuration` holds the keys of `settings` and `space` of the YAML, `data` what `load_data` returned."""

    @staticmethod
    def load_data(configuration):
        """Called once for the whole study. All trials share these arrays, and cannot write to them."""
        images, labels = load_digits(return_X_y=True)
        images = images / 16  # grey levels 0 … 16
        train_x, holdout_x, train_y, holdout_y = train_test_split(
            images, labels, test_size=0.25, random_state=0, stratify=labels
        )
        return {"train_x": train_x, "train_y": train_y, "holdout_x": holdout_x, "holdout_y": holdout_y}

    def __init__(self, configuration, data, device):
        # `device` is "cpu" or "cuda"; scikit-learn knows only the first
        self.data = data
        self.seed = configuration["seed"]
        self.epoch = 0
        self.model = MLPClassifier(
            hidden_layer_sizes=(configuration["hidden_units"],),
            activation=configuration["activation"],
            alpha=configuration["l2_penalty"],
            learning_rate_init=configuration["learning_rate"],
            batch_size=64,
        )

    def train_epoch(self) -> dict[str, float]:
        """Train one epoch and return its figures, under any names; the YAML says which one the study is after."""
        self.epoch += 1
        # The order of the images depends on seed and epoch alone, so an epoch that is run again is the same epoch.
        self.model.random_state = 1000 * self.seed + self.epoch
        self.model.partial_fit(self.data["train_x"], self.data["train_y"], classes=DIGITS)
        probabilities = self.model.predict_proba(self.data["holdout_x"])
        truth = self.data["holdout_y"]
        return {
            "holdout_f1": f1_score(truth, probabilities.argmax(axis=1), average="macro"),
            "holdout_log_loss": log_loss(truth, probabilities, labels=DIGITS),
            "train_loss": self.model.loss_,
        }

    def state_dict(self) -> dict:
        """All that is needed to go on, as plain numbers and lists; the weights and what Adam remembers of the gradients."""
        adam = self.model._optimizer  # scikit-learn has no public name for it
        return {
            "epoch": self.epoch,
            "coefs": [weights.tolist() for weights in self.model.coefs_],
            "intercepts": [biases.tolist() for biases in self.model.intercepts_],
            "adam_steps": adam.t,
            "adam_means": [values.tolist() for values in adam.ms],
            "adam_squares": [values.tolist() for values in adam.vs],
        }

    def load_state_dict(self, state: dict) -> None:
        """Go on after the epoch at which the state was taken."""
        self.train_epoch()  # scikit-learn makes its arrays with the first epoch; all of them are replaced now
        self.epoch = state["epoch"]
        self.model.coefs_ = [np.array(weights) for weights in state["coefs"]]
        self.model.intercepts_ = [np.array(biases) for biases in state["intercepts"]]
        adam = self.model._optimizer
        adam.t = state["adam_steps"]
        adam.ms = [np.array(values) for values in state["adam_means"]]
        adam.vs = [np.array(values) for values in state["adam_squares"]]
