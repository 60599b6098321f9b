"""The house: every room has a sentence on its door and is small, and imports point down only.

``python -m pytest tests/test_rooms.py -s`` prints the rooms of ``inference/`` and the arrows between them.
"""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: Rooms from the ground up: a module may import its own room and those below it.
FLOORS = (
    "bayes_nn.runtime",
    "bayes_nn.architecture",
    "bayes_nn.data",
    "bayes_nn.data.likelihoods",
    "bayes_nn.data.dataset",
    "bayes_nn.priors.gaussian",
    "bayes_nn.priors.kernels",
    "bayes_nn.priors",
    "bayes_nn.tasks",
    "bayes_nn.training",
    "bayes_nn.inference.drawing",
    "bayes_nn.inference.report",
    "bayes_nn.inference.problem",
    "bayes_nn.inference.sampling.moves",
    "bayes_nn.inference.sampling",
    "bayes_nn.inference.sampling.exchange",
    "bayes_nn.inference.sampling.samplers",
    "bayes_nn.inference.posterior",
    "bayes_nn.inference.evidence",
    "bayes_nn.inference.features",
    "bayes_nn.inference.verdict",
    "bayes_nn.inference.comparison",
    "bayes_nn.inference.atlases",
    "bayes_nn.inference",
    "bayes_nn",
    "bayes_nn.cli",
)
MOST_MODULES, MOST_LINES = 14, 260


def folder_of(top):
    return ROOT / top if top in ("priors", "inference") else ROOT / "bayes_nn" / top


def modules():
    """Every module by dotted name."""
    found = {}
    for top, prefix in (("bayes_nn", ""), ("priors", "bayes_nn."), ("inference", "bayes_nn.")):
        for path in sorted((ROOT / top).rglob("*.py")):
            if any(parent.is_symlink() for parent in path.parents if parent != ROOT and ROOT in parent.parents):
                continue
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[prefix + ".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def imports(name):
    """Modules of the package that a module imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            while target.startswith("bayes_nn"):
                if target in MODULES:
                    found.add(target)
                    break
                target = target.rpartition(".")[0]
    return found - {name}


def floor(name):
    """The floor that a module is on: that of the longest room it lies in."""
    rooms = [room for room in FLOORS if name == room or name.startswith(room + ".")]
    return FLOORS.index(max(rooms, key=len))


def test_imports_point_down():
    upward = [f"{name} -> {other}" for name in MODULES for other in sorted(imports(name)) if floor(other) > floor(name)]
    assert not upward


def test_there_is_no_circle():
    arrows = {name: imports(name) for name in MODULES}
    state = {}

    def visit(name, path):
        if state.get(name) == "left":
            return
        assert state.get(name) != "entered", " -> ".join([*path[path.index(name) :], name])
        state[name] = "entered"
        for other in sorted(arrows[name]):
            visit(other, [*path, name])
        state[name] = "left"

    for name in arrows:
        visit(name, [])


def test_all_that_uses_jax_leads_to_the_room_that_switches_to_float64():
    """Wherever the package is entered: importing a module imports the packages that it lies in."""

    def reached(name):
        found, waiting = set(), [name]
        while waiting:
            module = waiting.pop()
            if module not in found:
                found.add(module)
                waiting += imports(module) | ({module.rpartition(".")[0]} & set(MODULES))
        return found

    users = [
        name
        for name, path in MODULES.items()
        if re.search(r"^\s*(import|from) (jax|numpyro)\b", path.read_text(), re.M)
    ]
    assert len(users) > 100
    assert [name for name in users if "bayes_nn.runtime" not in reached(name)] == []


def rooms():
    return sorted({path.parent for path in MODULES.values()})


@pytest.mark.parametrize("room", rooms(), ids=lambda room: room.relative_to(ROOT).as_posix())
def test_room_is_small_and_has_a_sentence_on_its_door(room):
    inside = [path for path in room.glob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    assert len(inside) <= MOST_MODULES
    door = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
    assert door
    assert door.splitlines()[0].endswith((".", ":"))


def test_modules_are_short():
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_printed_tree(capsys):
    """Prints the rooms of ``inference/`` with the rooms that each leans on."""
    arrows, inside = defaultdict(set), defaultdict(list)
    for name in MODULES:
        if name.startswith("bayes_nn.inference."):
            room = name.rpartition(".")[0] if MODULES[name].name != "__init__.py" else name
            if MODULES[name].name != "__init__.py":
                inside[room].append(name.rpartition(".")[2])
            for other in imports(name):
                below = other.rpartition(".")[0] if MODULES[other].name != "__init__.py" else other
                if below != room:
                    arrows[room].add(below.removeprefix("bayes_nn."))
    with capsys.disabled():
        for room in sorted(inside, key=floor, reverse=True):
            door = ast.get_docstring(ast.parse((MODULES[room]).read_text()))
            print(f"\n{room.removeprefix('bayes_nn.')}/  {door.splitlines()[0]}")
            print(f"    {len(inside[room])} modules: {', '.join(sorted(inside[room]))}")
            print(f"    -> {', '.join(sorted(arrows[room]))}")
    assert inside
