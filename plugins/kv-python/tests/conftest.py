"""The plugin, the SDK and its stubs on the path."""

import sys
from pathlib import Path

PLUGIN = Path(__file__).resolve().parent.parent
SDK = PLUGIN.parent.parent / "sdk" / "python"
for folder in [SDK / "stubs", SDK, PLUGIN]:
    sys.path.insert(0, str(folder))
