"""The project's own papers: packaging, pinned versions, workflows, commands named in the README."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import dlnotes
from tests import laws

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAPERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "index.md"]


def call(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirement: str) -> str:
    """Cut the version, the extras and the condition off a requirement."""
    return normal(re.match(r"[\w.-]+", requirement)[0])


# Code


@pytest.mark.parametrize("words", [("check",), ("format", "--check")], ids=" ".join)
def test_ruff_finds_nothing(words):
    ran = call("ruff", *words, "--output-format", "concise", ".")
    if ran.returncode:
        pytest.fail(ran.stdout + ran.stderr, pytrace=False)


def kernels() -> list[str]:
    found = []
    for backend in ("numpy", "torch"):
        if backend == "numpy" or importlib.util.find_spec("torch"):
            found += [f"dlnotes.{backend}.{path.stem}" for path in (ROOT / "dlnotes" / backend).glob("[!_]*.py")]
    return sorted(found)


@pytest.mark.parametrize("name", kernels())
def test_the_shapes_of_every_kernel_are_checked(name, failed_imports):
    pytest.importorskip("jaxtyping")
    if name in failed_imports:
        pytest.fail(f"{failed_imports[name]!r}", pytrace=False)
    module = sys.modules[name]
    functions = [value for value in vars(module).values() if inspect.isfunction(value) and value.__module__ == name]
    assert functions
    assert [f.__name__ for f in functions if not hasattr(f, "__wrapped__")] == []


# Packaging


def declared(extra: str | None) -> set[str]:
    """Name what an extra brings, with what it takes from other extras; None is the base."""
    if extra is None:
        return {named(requirement) for requirement in PROJECT["project"]["dependencies"]}
    names = set()
    for requirement in PROJECT["project"]["optional-dependencies"][extra]:
        inner = re.fullmatch(r"dlnotes-book\[([\w,]+)\]", requirement)
        names |= set().union(*map(declared, inner[1].split(","))) if inner else {named(requirement)}
    return names


# Distributions whose names differ from what they bring, for a machine where they are not installed.
BRINGS = {"curvlinops": ["curvlinops-for-pytorch"]}


def undeclared(imported: dict[str, set[str]], names: set[str]) -> dict[str, set[str]]:
    """Give the imported packages that no declared distribution brings, with the files that import them."""
    owners = importlib.metadata.packages_distributions()
    return {
        package: files
        for package, files in imported.items()
        if not names.intersection(map(normal, owners.get(package, BRINGS.get(package, [package]))))
    }


def imported_by(paths: list[Path]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in paths:
        for entry in laws.imports(path):
            first = entry.module.split(".")[0]
            ours = (
                entry.relative
                or entry.typing_only
                or first in sys.stdlib_module_names
                or first in ("dlnotes", "tests", "conftest", "benchmarks")
            )
            if not ours:
                found.setdefault(first, set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_what_the_package_imports_is_declared():
    names = set().union(*map(declared, (None, "torch", "exports", "cluster")))
    assert undeclared(imported_by(laws.sources(ROOT)), names) == {}


def test_what_the_tests_import_is_declared():
    tests = [*(ROOT / "tests").rglob("*.py"), ROOT / "conftest.py"]
    assert undeclared(imported_by(tests), declared(None) | declared("test") | {"pluggy"}) == {}


def test_what_the_benchmarks_import_is_declared():
    benchmarks = sorted((ROOT / "benchmarks").rglob("*.py"))
    assert undeclared(imported_by(benchmarks), declared(None) | declared("bench")) == {}


def skipped_without(path: Path) -> set[str]:
    """Name the packages without which a file's tests are skipped."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    asked = [call.args[0].value for call in calls if ast.unparse(call.func).endswith("importorskip")]
    return {name.split(".")[0] for name in asked}


def test_the_gate_has_every_package_for_want_of_which_a_test_skips():
    from conftest import NEEDED_BY_THE_GATE

    asked = {name for path in (ROOT / "tests").rglob("*.py") for name in skipped_without(path)}
    assert {"torch", "pytest_codeblocks"} <= asked <= set(NEEDED_BY_THE_GATE)
    assert undeclared({name: {"conftest.py"} for name in NEEDED_BY_THE_GATE}, declared("test")) == {}


def test_an_undeclared_import_is_found():
    assert undeclared({"numpy": {"a.py"}, "scipy": {"b.py"}}, {"numpy"}) == {"scipy": {"b.py"}}


def test_every_dependency_says_why_it_is_there():
    text = (
        (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    )
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ") and "dlnotes-book[" not in line]
    assert lines
    told_above = ("jaxtyping", "pytest>")  # beside beartype, and no test suite asks why it has this one
    assert [line for line in lines if "#" not in line and not line.strip('"').startswith(told_above)] == []


def test_files_that_are_not_python_travel_with_the_package():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["dlnotes"]
    package = ROOT / "dlnotes"
    packed = {path for pattern in patterns for path in package.glob(pattern)}
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert others <= packed


def test_licenses_are_there():
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")
    assert (ROOT / "LICENSES" / "CC-BY-4.0.txt").read_text("utf-8").startswith("Attribution 4.0 International")
    assert PROJECT["project"]["license"] == "MIT AND CC-BY-4.0"


# Versions


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins), "exact versions, without a local tag"
    return {normal(line.split("==")[0]): line.split("==")[1] for line in pins}


def brought_along(roots: set[str], installed: dict[str, list[str]]) -> set[str]:
    """Follow the requirements; those of torch differ with the machine and are left out."""
    seen, waiting = set(), list(roots)
    while waiting:
        name = waiting.pop()
        if name not in seen and name in installed:
            seen.add(name)
            waiting += [] if name == "torch" else installed[name]
    return seen


def test_every_version_that_the_gate_uses_is_pinned():
    installed = {
        normal(found.name): [named(requirement) for requirement in found.requires or []]
        for found in importlib.metadata.distributions()
    }
    assert brought_along(declared(None) | declared("test"), installed) - set(constraints()) <= {"pip", "setuptools"}


def test_pins_keep_the_lower_bounds():
    from packaging.requirements import Requirement

    pins = constraints()
    extras = [entry for entries in PROJECT["project"]["optional-dependencies"].values() for entry in entries]
    for requirement in map(Requirement, [*PROJECT["project"]["dependencies"], *extras]):
        version = pins.get(normal(requirement.name))
        assert version is None or requirement.specifier.contains(version), str(requirement)


# Papers against their schemas


def schema_errors(schema: str, *paths: Path) -> str:
    ran = call("check_jsonschema", "--builtin-schema", schema, "--no-cache", *map(str, paths))
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def test_workflows_fit_their_schema():
    assert {path.stem for path in WORKFLOWS} == {"test", "publish", "weekly"}
    assert schema_errors("vendor.github-workflows", *WORKFLOWS) == ""
    assert schema_errors("custom.github-workflows-require-timeout", *WORKFLOWS) == ""


def test_the_issue_form_and_the_citation_fit_their_schemas():
    forms = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert schema_errors("vendor.github-issue-forms", *forms) == ""
    assert schema_errors("vendor.citation-file-format", ROOT / "CITATION.cff") == ""


def test_a_paper_that_does_not_fit_is_found(tmp_path):
    path = tmp_path / "test.yml"
    path.write_text("on: push\njobs: {one: {runs-on: ubuntu-latest, stepz: []}}\n", "utf-8")
    assert "stepz" in schema_errors("vendor.github-workflows", path)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_official_and_pinned_by_major_version(path):
    used = re.findall(r"uses: (\S+)", path.read_text("utf-8"))
    assert used
    assert [action for action in used if not re.fullmatch(r"actions/[\w-]+@v\d+", action)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_start_with_the_right_to_read_alone(path):
    assert yaml.safe_load(path.read_text("utf-8"))["permissions"] == {"contents": "read"}


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == dlnotes.__version__
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert dlnotes.__version__ in headings[1:] or dlnotes.__version__ == "0.1.0"


# Commands


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def subcommands() -> set[str]:
    tree = ast.parse((ROOT / "dlnotes" / "__main__.py").read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return {call.args[0].value for call in calls if call.func.id == "add" and isinstance(call.args[0], ast.Constant)}


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_commands_named_exist(path):
    text = path.read_text("utf-8")
    assert set(re.findall(r"(?:^\$ |`)make ([a-z][a-z-]*)", text, re.MULTILINE)) <= targets()
    assert set(re.findall(r"python -m dlnotes ([a-z][a-z-]*)", text)) <= subcommands()


def test_modules_named_exist():
    for path in PAPERS:
        for name in re.findall(r"python -m (dlnotes(?:\.\w+)+)", path.read_text("utf-8")):
            assert importlib.util.find_spec(name), f"{path.name}: {name}"


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_files_named_exist(path):
    text = path.read_text("utf-8")
    links = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    sources = re.findall(r'(?:src|srcset)="([^"]+)"', text)
    paths = re.findall(r"`((?:dlnotes|docs|tests|benchmarks|\.ci|\.github)/[\w./-]+)`", text)
    wanted = links + sources + [name for name in paths if "S." not in name and "/S/" not in name]
    assert [name for name in wanted if not (ROOT / name).exists()] == []


def test_the_gate_runs_both_commands():
    gate = ROOT / ".ci" / "run"
    assert {"make test", "make site", "export CI=1"} <= {
        line.split(" 2>")[0] for line in gate.read_text("utf-8").splitlines()
    }
    assert os.name == "nt" or os.access(gate, os.X_OK)
