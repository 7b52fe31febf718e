"""What a launch notes of packages, processor and code, and how a later run names what is another one."""

import platform

import sqlalchemy as sa

from storage.engine import open_existing
from storage.tables import LAUNCH
from tests.studies import make_space, simulate
from tuner.versions import version_differences, versions_of


def test_a_launch_notes_packages_processor_and_the_code_of_ones_own_trainer(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 1}), sqlite_url)
    engine = open_existing(sqlite_url).engine
    with engine.connect() as connection:
        (noted,) = connection.execute(sa.select(LAUNCH.c.versions)).scalars()
    engine.dispose()
    assert noted == versions_of("tests.trainers:Curve")
    assert {"tuner", "ray", "optuna", "torch", "numpy", "processor"} <= set(noted)
    assert noted["python"] == platform.python_version()
    assert len(noted["trainer tests"]) == 64
    assert not any(name.startswith("trainer") for name in versions_of("vgg"))


def test_another_version_is_named_with_both() -> None:
    then = {"python": "3.11.1", "torch": "2.14.1", "torchvision": "0.26", "trainer mine": "a", "trainer gone": "b"}
    now = {"python": "3.11.1", "torch": "2.15.0", "scikit-learn": "1.5", "trainer mine": "c", "trainer new": "d"}
    assert version_differences(then, then) == []
    assert version_differences(then, now) == [
        "torch 2.14.1 then, 2.15.0 now",
        "torchvision 0.26 then, none now",
        "the code of gone is not in the working folder now",
        "the code of mine has changed since",
        "the code of new was not noted then",
    ]
