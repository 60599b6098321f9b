"""What is installed is what is in the folders: plain, editable, wheel and sdist."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def folders_with_modules():
    found = {}
    for top, prefix in (("bayes_nn", ""), ("priors", "bayes_nn."), ("inference", "bayes_nn.")):
        for init in sorted((ROOT / top).rglob("__init__.py")):
            if any(parent.is_symlink() for parent in init.parents):
                continue
            relative = init.parent.relative_to(ROOT)
            found[prefix + ".".join(relative.parts)] = relative.as_posix()
    return found


def test_package_list_matches_the_folders():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert sorted(settings["packages"]) == sorted(folders_with_modules())
    assert settings["package-dir"] == folders_with_modules()


def test_links_for_editors_point_at_the_folders():
    for name in ("priors", "inference"):
        link = ROOT / "bayes_nn" / name
        assert link.is_symlink()
        assert link.resolve() == ROOT / name


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """An sdist, and the wheel built from it."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", out, ROOT], check=True, capture_output=True)
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


def expected_files():
    patterns = ("*.py", "*.pyi", "*.jinja", "py.typed")
    tops = {"bayes_nn": "bayes_nn", "priors": "bayes_nn/priors", "inference": "bayes_nn/inference"}
    files = {
        f"{inside}/{path.relative_to(ROOT / top).as_posix()}"
        for top, inside in tops.items()
        for p in patterns
        for path in (ROOT / top).glob(f"**/{p}")
    }
    return {name for name in files if "__pycache__" not in name}


@pytest.mark.slow
def test_wheel_holds_every_module_and_template(built):
    names = set(zipfile.ZipFile(built[1]).namelist())
    assert expected_files() <= names
    assert not any(name.startswith(("priors/", "inference/")) for name in names)


def test_sdist_holds_the_sources(built):
    with tarfile.open(built[0]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {
        "priors/prior.py",
        "inference/sampling/smc.py",
        "bayes_nn/architecture/serial.py",
        "pyproject.toml",
    } <= names


@pytest.mark.slow
def test_installed_wheel_works_away_from_the_checkout(built, tmp_path):
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, built[1]]
    subprocess.run(pip, check=True, capture_output=True)
    program = (
        "import sys; sys.path = [p for p in sys.path if '__editable__' not in p]\n"
        f"sys.path.insert(0, {str(target)!r})\n"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        "import bayes_nn, bayes_nn.priors, bayes_nn.inference.report.page, pathlib\n"
        "folder = pathlib.Path(bayes_nn.inference.__file__).parent\n"
        "assert (folder / 'report' / 'templates' / 'report.html.jinja').is_file()\n"
        "print(bayes_nn.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(target) in done.stdout
