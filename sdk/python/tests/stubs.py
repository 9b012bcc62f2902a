"""Makes the stubs of the contract, which are checked in: `python sdk/python/tests/stubs.py` after a change of `wit/`."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent
WIT = SDK.parent.parent / "wit"
KEPT = ["wit_world", "componentize_py_types.py"]
"""What is kept of what componentize-py writes: the rest serves async worlds, which the contract has none of."""


def generate(into: Path) -> None:
    """Writes the stubs into a folder that is not there."""
    with tempfile.TemporaryDirectory() as scratch:
        contract = Path(scratch) / "wit"
        contract.mkdir()
        for file in [*WIT.glob("*.wit"), Path(__file__).with_name("sdk.wit")]:
            shutil.copy(file, contract)
        everything = Path(scratch) / "everything"
        program = Path(sys.executable).with_name("componentize-py")
        subprocess.run([program, "-d", contract, "-w", "larder:store/sdk", "bindings", everything], check=True)
        into.mkdir()
        for name in KEPT:
            shutil.move(everything / name, into / name)


if __name__ == "__main__":
    stubs = SDK / "stubs"
    shutil.rmtree(stubs, ignore_errors=True)
    generate(stubs)
