"""Who else may write the configuration and the plugins: root does not run what anybody could have put there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sara.plugins.file_permissions import find_writable

ANYBODYS = 4711
"""A group that is nobody's own here."""


def laid_out(top: Path) -> Path:
    """`home/sara.yaml` and `home/plugins/sara_x/__init__.py`, all of them closed to others."""
    for folder in (top / "home", top / "home/plugins", top / "home/plugins/sara_x", top / "home/plugins/sara_x/__pycache__"):
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    for file in ("home/sara.yaml", "home/plugins/sara_x/__init__.py", "home/plugins/sara_x/__pycache__/a.pyc"):
        (top / file).touch(0o644)
    return top / "home"


ROWS = (
    # (what is changed, its mode, its group or None, the path that is looked at, refused for root, told to others)
    ("home/sara.yaml", 0o644, None, "sara.yaml", False, False),
    ("home/sara.yaml", 0o666, None, "sara.yaml", True, True),
    ("home/sara.yaml", 0o602, None, "sara.yaml", True, True),
    ("home/sara.yaml", 0o664, ANYBODYS, "sara.yaml", True, True),
    ("home/sara.yaml", 0o664, 0, "sara.yaml", False, False),
    ("home/sara.yaml", 0o666, None, "plugins", False, False),
    ("home", 0o777, None, "sara.yaml", True, True),
    ("home", 0o777, None, "plugins", True, True),
    ("home", 0o1777, None, "sara.yaml", False, False),
    ("home", 0o775, ANYBODYS, "plugins", True, True),
    ("home", 0o1775, ANYBODYS, "plugins", False, False),
    ("home/plugins", 0o777, None, "plugins", True, True),
    ("home/plugins", 0o1777, None, "plugins", True, True),  # others may add a plugin there
    ("home/plugins", 0o777, None, "sara.yaml", False, False),
    ("home/plugins/sara_x", 0o777, None, "plugins", True, True),
    ("home/plugins/sara_x/__init__.py", 0o646, None, "plugins", True, True),
    ("home/plugins/sara_x/__pycache__", 0o777, None, "plugins", True, True),
    ("home/plugins/sara_x/__pycache__/a.pyc", 0o666, None, "plugins", True, True),
    ("home/plugins/sara_x/__init__.py", 0o664, ANYBODYS, "plugins", True, True),
    ("home/plugins/sara_x/__init__.py", 0o664, ANYBODYS, "missing", False, False),
)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to groups")
def test_what_others_may_write_is_named_with_what_mends_it(tmp_path: Path) -> None:
    for number, (changed, mode, group, looked_at, for_root, for_others) in enumerate(ROWS):
        top = tmp_path / str(number)
        top.mkdir(mode=0o755)
        home = laid_out(top)
        place = top / changed
        if group is not None:
            os.chown(place, -1, group)
        place.chmod(mode)
        for root, expected in ((True, for_root), (False, for_others)):
            found = find_writable(home / looked_at, root=root)
            assert (found is not None) == expected, (changed, oct(mode), looked_at, root)
            if found is not None:
                assert str(place) in str(found)
                assert found.mend == f"chmod {'o' if mode & 0o002 else 'g'}-w {place}"


def test_a_link_is_judged_by_where_it_stands_and_by_where_it_leads(tmp_path: Path) -> None:
    home = laid_out(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = elsewhere / "sara.yaml"
    link.symlink_to(home / "sara.yaml")
    assert find_writable(link, root=True) is None
    elsewhere.chmod(0o777)
    assert find_writable(link, root=True) is not None
    elsewhere.chmod(0o755)
    home.chmod(0o777)
    assert find_writable(link, root=True) is not None
