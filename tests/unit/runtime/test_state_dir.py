"""The state directory holds the admin token and names the listeners."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from sara.domain.errors import ConfigError, SaraError, StoreLocked
from sara.runtime.state_dir import create_state_dir, load_admin_token, publish_listeners


class TestAdminToken:
    def test_it_is_made_once_for_the_owner_only(self, tmp_path: Path) -> None:
        token = load_admin_token(tmp_path)
        assert len(token) >= 32
        assert (tmp_path / "admin-token").stat().st_mode & 0o777 == 0o600
        assert load_admin_token(tmp_path) == token

    def test_one_that_is_too_short_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "admin-token").write_text("short\n")
        (tmp_path / "admin-token").chmod(0o600)
        assert len(load_admin_token(tmp_path)) >= 32

    def test_a_file_that_is_no_text_is_an_error_of_the_configuration(self, tmp_path: Path) -> None:
        (tmp_path / "admin-token").write_bytes(b"\xff" * 40)
        (tmp_path / "admin-token").chmod(0o600)
        with pytest.raises(ConfigError, match="remove it"):
            load_admin_token(tmp_path)


class TestListeners:
    def test_they_are_named_while_the_daemon_lives(self, tmp_path: Path) -> None:
        remove = publish_listeners(tmp_path, {"admin": "http://127.0.0.1:1"})
        assert json.loads((tmp_path / "listening.json").read_text()) == {"admin": "http://127.0.0.1:1"}
        remove()
        assert not (tmp_path / "listening.json").exists()

    def test_a_second_daemon_is_refused(self, tmp_path: Path) -> None:
        remove = publish_listeners(tmp_path, {})
        with pytest.raises(StoreLocked, match="in use by another SARA"):
            publish_listeners(tmp_path, {})
        remove()


@pytest.mark.parametrize(("code", "error"), [(errno.ENOSPC, SaraError), (errno.EACCES, ConfigError)])
def test_only_a_disk_that_may_recover_is_worth_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(SaraError) as raised:
        create_state_dir(tmp_path / "state")
    assert type(raised.value) is error
