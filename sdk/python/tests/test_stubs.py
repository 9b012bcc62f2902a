"""The stubs that are checked in are those of the contract."""

from pathlib import Path

from stubs import SDK, generate


def texts(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*.py")}


def test_the_stubs_are_what_the_contract_makes_of_them(tmp_path):
    generate(tmp_path / "stubs")
    kept, made = texts(SDK / "stubs"), texts(tmp_path / "stubs")
    assert kept.keys() == made.keys()
    for name, text in made.items():
        assert kept[name] == text, f"stubs/{name} is of another contract: run python sdk/python/tests/stubs.py"
