"""What a result depends on: the commit and what differs from it, and differences between two descriptions."""

import subprocess

import pytest

from colorgan import facts


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone with one commit of a package, as `facts` sees its own; a function that runs git in it."""

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    package = tmp_path / "colorgan"
    package.mkdir()
    for file in (package / "a.py", package / "b.py", tmp_path / "README.md"):
        file.write_text("old\n")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    monkeypatch.setattr(facts, "PACKAGE", package)
    return package


def changes():
    found = facts.describe_software()
    assert len(found["commit"]) == 40
    return found["changes"]


def test_a_commit_alone_has_no_changes(clone):
    assert changes() is None
    (clone.parent / "README.md").write_text("new")  # computes nothing
    assert changes() is None


def test_each_change_of_the_package_has_its_hash(clone):
    (clone / "a.py").write_text("new")
    edited = changes()
    (clone / "a.py").write_text("newer")
    edited_again = changes()
    (clone / "a.py").write_text("old\n")
    (clone / "b.py").unlink()
    deleted = changes()
    (clone / "ü b.py").write_text("a file that git does not know")
    added = changes()
    assert None not in (found := {edited, edited_again, deleted, added})
    assert len(found) == 4
    assert changes() == added


def test_differences_are_those_of_keys_that_both_have():
    old = {"a": {"b": 1, "gone": 2}, "c": [1], "same": None}
    new = {"a": {"b": 3, "new": 4}, "c": [2], "same": None}
    assert facts.differences(old, new) == [("a.b", 1, 3), ("c", [1], [2])]
