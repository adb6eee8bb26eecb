"""What others expect in a repository: the image, the devcontainer, CI, pre-commit and the citation."""

import json
import os
import re
import shutil
import subprocess
import tomllib
import venv
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from colorgan import __version__

DOCKERFILE = Path("Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
STEPS = [tuple(line.split(maxsplit=1)) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
STAGES = [step.split(" AS ") for instruction, step in STEPS if instruction == "FROM"]
PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
FORCED = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
WORKFLOW = yaml.safe_load(Path(".github/workflows/ci.yml").read_text(encoding="utf-8"))


def ignored(path):
    """Whether .dockerignore keeps a path out of the image: the last line that fits decides."""
    decision = False
    for line in Path(".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if line and not line.startswith("#") and (fnmatchcase(path, pattern) or path.startswith(f"{pattern}/")):
            decision = not line.startswith("!")
    return decision


def test_the_stages_of_the_image_build_on_each_other():
    known = {"python:3.11-slim"}
    for base, *name in STAGES:
        assert base in known
        known.update(name)
    assert all(step.split("=")[1].split()[0] in known for _, step in STEPS if step.startswith("--from="))


def test_the_image_has_the_python_and_the_command_of_the_package():
    assert Requirement(f"python{PROJECT['project']['requires-python']}").specifier.contains("3.11")
    (entry,) = [json.loads(step) for instruction, step in STEPS if instruction == "ENTRYPOINT"]
    assert entry == [*PROJECT["project"]["scripts"]]


@pytest.mark.parametrize(
    "path",
    ["pyproject.toml", "README.md", "LICENSE", "colorgan/cli.py", *FORCED],
)
def test_what_the_wheel_is_built_of_enters_the_image(path):
    assert Path(path).exists() and not ignored(path)


@pytest.mark.parametrize("path", [".venv/bin/python", "checkpoints/gan/best.ckpt", ".git/HEAD", "wandb/run"])
def test_what_is_only_of_this_machine_does_not(path):
    assert ignored(path)


def test_the_devcontainer_is_a_stage_of_the_image():
    path = Path(".devcontainer/devcontainer.json")
    container = json.loads(path.read_text(encoding="utf-8"))
    build = container["build"]
    assert (path.parent / build["dockerfile"]).samefile("Dockerfile") and (path.parent / build["context"]).samefile(".")
    assert build["target"] in [name for _, *names in STAGES for name in names]
    assert "'.[dev]'" in container["postCreateCommand"] and "dev" in PROJECT["project"]["optional-dependencies"]
    assert container["postCreateCommand"].endswith("touch .venv/done")  # the target of `make setup`
    assert re.search(r"^\.venv/done:", Path("Makefile").read_text(), re.M)


def test_the_workflow_calls_what_there_is():
    steps = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]
    assert ".ci/run" in steps and os.access(".ci/run", os.X_OK)
    assert any("-m build" in step for step in steps) and any(step.startswith("docker build") for step in steps)


def test_pre_commit_has_a_ruff_that_the_project_allows():
    hooks = yaml.safe_load(Path(".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    (ruff,) = [Requirement(line) for line in PROJECT["project"]["optional-dependencies"]["dev"] if "ruff" in line]
    (repo,) = [repo for repo in hooks if repo["repo"].endswith("/ruff-pre-commit")]
    assert ruff.specifier.contains(repo["rev"].removeprefix("v"))
    assert {"ruff-check", "ruff-format"} <= {hook["id"] for hook in repo["hooks"]}
    named = [word for repo in hooks for hook in repo["hooks"] for word in hook.get("entry", "").split() if "/" in word]
    assert all(Path(word).exists() for word in named if word.startswith("tests/"))


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load(Path("CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0" and all("name" in author for author in citation["authors"])
    assert citation["version"] == __version__ and citation["license"] == PROJECT["project"]["license"]


@pytest.mark.slow  # minutes, and 6 GB where the index has no builds for CPUs
def test_the_steps_of_the_image_work_in_a_clean_venv(tmp_path):
    """TORCH_INDEX is that of the Dockerfile; where only another index can be reached, set it in the environment."""
    venv.create(tmp_path / "venv", with_pip=True)
    environment = {**os.environ, "PATH": f"{tmp_path}/venv/bin:/usr/bin:/bin", "PYTHONPATH": ""}
    (default,) = [step.partition("=")[2] for instruction, step in STEPS if instruction == "ARG"]
    environment.setdefault("TORCH_INDEX", default)
    kept = {path for path in subprocess.check_output(["git", "ls-files"], text=True).splitlines() if not ignored(path)}
    for path in kept:
        (tmp_path / "src" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tmp_path / "src" / path)
    for instruction, step in STEPS:
        if instruction == "RUN" and not step.startswith(("apt-get", "useradd")):
            step = re.sub(r"(?<=[ =])/(src|wheel)\b", rf"{tmp_path}/\1", step)
            subprocess.run(["sh", "-ec", step], env=environment, cwd=tmp_path, check=True)
    (tmp_path / "data").mkdir()
    shown = subprocess.check_output(["colorgan", "--version"], env=environment, cwd=tmp_path / "data", text=True)
    assert shown == f"colorgan {__version__}\n"
    shutil.copyfile("docs/gan.png", tmp_path / "data/old.png")
    subprocess.run(["colorgan", "sample", "old.png"], env=environment, cwd=tmp_path / "data", check=True)
    assert (tmp_path / "data/colorized/old.png").exists()
