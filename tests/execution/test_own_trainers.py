"""One's own trainer through real Ray: its package travels, the working folder does not."""

import sqlalchemy as sa

from storage.engine import open_existing
from storage.tables import ATTEMPT, EPOCH_METRIC
from tests.cli import Folder

PACKAGE = {
    "mine/__init__.py": "",
    "mine/parts/__init__.py": "",
    "mine/parts/score.py": "def score(x):\n    return 1 - x\n",
    "mine/network.py": '''
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from .parts.score import score


@dataclass
class Data:
    """Of a class of this very module: a worker must have the module before it has the data."""

    number: float


class Looks:
    """Says what it finds on its worker."""

    @staticmethod
    def load_data(configuration):
        return Data(3.0)

    def __init__(self, configuration, data, device):
        self.configuration, self.data = configuration, data

    def train_epoch(self):
        if self.configuration["x"] > 0.9:
            raise ValueError("too large")  # this line is shown
        return {
            "score": score(self.configuration["x"]),
            "number": self.data.number,
            "sibling_found": importlib.util.find_spec("sibling") is not None,
            "from_working_folder": Path(__file__).resolve().is_relative_to(Path.cwd()),
        }

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass
''',
    "sibling.py": "",
}


def test_a_worker_has_the_trainers_package_and_not_the_folder_it_lies_in(folder: Folder) -> None:
    for name, text in PACKAGE.items():
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).write_text(text)
    space = folder.write("space.yaml", trainer="mine.network:Looks", settings={"epochs": 1}, space={"x": [0.25, 1.0]},
                         budget={"trials": 4}, early_stopping={"name": "none"}, concurrency=1)  # fmt: skip
    ended = folder.run("launch", space)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    engine = open_existing(f"sqlite:///{folder.path}/tuner.db").engine
    with engine.connect() as connection:
        found = connection.execute(sa.select(EPOCH_METRIC.c.name, EPOCH_METRIC.c.value)).all()
        tracebacks = connection.execute(sa.select(ATTEMPT.c.traceback).where(ATTEMPT.c.outcome == "failed")).scalars()
        assert 'raise ValueError("too large")  # this line is shown' in next(iter(tracebacks))
    engine.dispose()
    values = {name: value for name, value in found}
    assert values["score"] == 0.75
    assert values["number"] == 3.0
    assert values["sibling_found"] == 0.0
    assert values["from_working_folder"] == 0.0
