"""The notebook in docs/: what it shows is what it does, and it can be read anywhere."""

import re
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.cli import Folder

NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebook.ipynb"


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def tables(notebook: Any) -> list[str]:
    return [output.data["text/html"] for output in outputs(notebook) if "text/html" in output.get("data", {})]


def refuse_trouble(notebook: Any) -> None:
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    for output in outputs(notebook):
        assert output.output_type != "error", output
        assert output.get("name") != "stderr", output
        assert output.get("data", {}).get("text/html") != "", output
    assert any("<td>complete</td>" in table for table in tables(notebook))
    figures = [output for output in outputs(notebook) if "application/vnd.plotly.v1+json" in output.get("data", {})]
    assert len(figures) == 2


def test_the_notebook_was_executed_and_is_small_and_names_no_place_on_a_machine() -> None:
    text = NOTEBOOK.read_text()
    assert len(text) < 300_000
    assert not re.search(r"/(home|root|tmp|work|usr|Users)/|site-packages|[Ww]arning", text)
    refuse_trouble(nbformat.read(NOTEBOOK, as_version=4))


def test_the_notebook_can_be_executed_again_and_leaves_nothing_running(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=folder.environment)
    refuse_trouble(notebook)
    assert {name for name in folder.files() if not name.startswith("notebook.db")} == set()
    folder.wait_until_no_process_is_left()
