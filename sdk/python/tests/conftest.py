"""The SDK and its stubs on the path, as a project's `pyproject.toml` puts them there."""

import sys
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent
for folder in [SDK / "stubs", SDK]:
    sys.path.insert(0, str(folder))
