"""The tour as a page of the site: docs/tour.py, run as a notebook.

python docs/notebook.py        # prints the page as JSON: its Markdown, and its pictures in base64
"""

import json
import sys
from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
TOUR = ROOT / "docs" / "tour.py"
TIMEOUT = 600  # seconds a cell
NOT_RUN = (
    "*The cells were not run when this page was made, since `make run` had not trained and judged "
    "the networks of digits: `make run`, then `make docs`.*"
)


def page(root: Path = ROOT) -> dict[str, Any]:
    """``markdown``, and ``pictures``, base64 by their place beside the page. Cells are run in the
    project at root, if `make run` has ended there. Raises CellExecutionError."""
    notebook = jupytext.read(TOUR)
    trained = (root / "results" / "digits" / "report.html").is_file()  # which comes last
    if trained:
        where = {"metadata": {"path": str(root)}}
        client = NotebookClient(notebook, timeout=TIMEOUT, resources=where, kernel_name="python3")
        client.execute()
    parts, pictures = [], {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            text, picture = _displayed(output)
            if picture:
                name = f"tour/{len(pictures) + 1}.png"
                pictures[name] = picture
                parts.append(f"![{cell.metadata['title']}]({name})")
            elif text:
                parts.append(f"```text\n{text.rstrip()}\n```")
    if not trained:
        parts.insert(1, NOT_RUN)
    return {"markdown": "\n\n".join(parts) + "\n", "pictures": pictures}


def _displayed(output: Any) -> tuple[str, str]:
    """The text of an output, and its picture; neither of what goes to standard error."""
    if output.output_type == "stream":
        return (output.text if output.name == "stdout" else ""), ""
    data = output.get("data", {})
    return data.get("text/plain", ""), data.get("image/png", "").strip()


if __name__ == "__main__":
    json.dump(page(), sys.stdout)
