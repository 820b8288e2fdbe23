"""Settings: every problem at once, secrets from where secrets live, paths beside the file."""

from pathlib import Path

import pytest

from sync import config
from sync.errors import UsageError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "aisuru-sync.toml"
    path.write_text(text)
    return path


def test_defaults_are_those_of_the_public_service(tmp_path):
    loaded = config.load(write(tmp_path, '[account]\nuser = "owner"'), {})
    assert loaded.account.backend_url == "https://backend.memori.ai"
    assert loaded.account.asset_urls == ("https://assets.memori.ai",)
    assert (loaded.backup.page_size, loaded.backup.concurrency) == (100, 4)


def test_everything_that_is_wrong_is_told_at_once(tmp_path):
    path = write(
        tmp_path,
        """
        [account]
        usr = "owner"
        backend_url = "http://backend.memori.ai"
        engine_url = 7
        [backup]
        page_size = 100000
        retry_s = "soon"
        [storrage]
        [[memori]]
        name = "a"
        id = "b"
        """,
    )
    with pytest.raises(UsageError) as raised:
        config.load(path, {})
    for part in (
        "unknown: usr in [account]",
        "would send secrets unprotected",
        "engine_url in [account]",
        "page_size in [backup] must be from 1 to 1000",
        "retry_s in [backup]",
        "unknown: [storrage]",
        "either `name` or `id`",
        str(path),
    ):
        assert part in str(raised.value)


@pytest.mark.parametrize("text", ["[account", "a = ", "\x00", '"'])
def test_broken_toml_is_told_with_its_place(tmp_path, text):
    with pytest.raises(UsageError, match="is not TOML"):
        config.load(write(tmp_path, text), {})


def test_a_file_that_is_not_utf_8_or_cannot_be_read_is_told(tmp_path):
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not TOML"):
        config.load(path, {})
    with pytest.raises(UsageError, match="cannot read"):
        config.load(tmp_path, {})


def test_the_environment_is_stronger_than_the_file(tmp_path):
    path = write(tmp_path, '[account]\nuser = "owner"\n[[memori]]\nname = "Guide"')
    environ = {
        "AISURU_SYNC_ACCOUNT__USER": "other",
        "AISURU_SYNC_BACKUP__PAGE_SIZE": "50",
        "AISURU_SYNC_ACCOUNT__ASSET_URLS": "https://a.example,https://b.example",
        "AISURU_SYNC_MEMORI__0__NAME": "Archive",
        "AISURU_SYNC_PASSWORD": "not a setting",
        "HOME": "/root",
    }
    loaded = config.load(path, environ)
    assert loaded.account.user == "other"
    assert loaded.backup.page_size == 50
    assert loaded.account.asset_urls == ("https://a.example", "https://b.example")
    assert loaded.memori[0].name == "Archive"


def test_all_settings_can_come_from_the_environment():
    environ = {"AISURU_SYNC_ACCOUNT__USER": "owner", "AISURU_SYNC_MEMORI__0__ID": "1"}
    loaded = config.load(None, environ)
    assert (loaded.account.user, loaded.memori[0].id) == ("owner", "1")


@pytest.mark.parametrize("name", ["AISURU_SYNC_STORAGE__DATABSE", "AISURU_SYNC_STORAGE"])
def test_a_misspelt_variable_is_an_error(name):
    with pytest.raises(UsageError, match=r"unknown|not a table"):
        config.load(None, {name: "x"})


def test_no_settings_at_all_is_told_with_what_to_do():
    with pytest.raises(UsageError) as raised:
        config.load(None, {})
    assert "config init" in raised.value.hint


def test_relative_paths_are_meant_from_the_file(tmp_path):
    text = '[storage]\ndatabase = "sqlite:///m.db"\nfiles = "f"'
    storage = config.load(write(tmp_path, text), {}).storage
    assert storage.database == f"sqlite:///{tmp_path}/m.db"
    assert storage.files == f"{tmp_path}/f"


def test_an_absolute_or_foreign_database_is_left_as_it_is(tmp_path):
    for url in ("sqlite:////var/lib/m.db", "postgresql+psycopg://u:p@h/d"):
        text = f'[storage]\ndatabase = "{url}"'
        assert config.load(write(tmp_path, text), {}).storage.database == url


def test_the_mirror_lies_in_systemds_state_directory_if_there_is_one(tmp_path):
    environ = {"STATE_DIRECTORY": "/var/lib/aisuru-sync:/other", "AISURU_SYNC_ACCOUNT__USER": "o"}
    storage = config.load(None, environ).storage
    assert storage.database == "sqlite:////var/lib/aisuru-sync/mirror.db"
    assert storage.files == "/var/lib/aisuru-sync/files"


def test_a_password_comes_from_the_environment_a_file_or_a_credential(tmp_path):
    (tmp_path / "pw").write_text("from file\n")
    (tmp_path / "aisuru-password").write_text("from credential")
    credentials = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    plain = config.load(write(tmp_path, '[account]\nuser = "o"'), {})
    named = config.load(write(tmp_path, '[account]\npassword_file = "pw"'), {})

    assert config.password(plain, {}) == ""
    assert config.password(plain, credentials) == "from credential"
    assert config.password(named, credentials) == "from file"
    assert config.password(named, {"AISURU_SYNC_PASSWORD": "from env"}) == "from env"
    assert config.token(plain, {"AISURU_SYNC_TOKEN": "t"}) == "t"


def test_a_secret_file_that_is_not_there_is_told_by_name(tmp_path):
    loaded = config.load(write(tmp_path, '[account]\npassword_file = "nowhere"'), {})
    with pytest.raises(UsageError, match="nowhere"):
        config.password(loaded, {})


def test_a_secret_memori_has_its_own_password_file(tmp_path):
    (tmp_path / "guide").write_text("own\n")
    path = write(tmp_path, '[[memori]]\nname = "Guide"\npassword_file = "guide"')
    loaded = config.load(path, {})
    assert config.memori_password(loaded, loaded.memori[0]) == "own"


def test_the_file_is_looked_for_where_the_call_the_environment_or_custom_say(tmp_path, monkeypatch):
    path = write(tmp_path, "")
    assert config.find(str(path), {}) == path
    assert config.find(None, {"AISURU_SYNC_CONFIG": str(path)}) == path
    monkeypatch.chdir(tmp_path)
    assert config.find(None, {}) == Path("aisuru-sync.toml")
    with pytest.raises(UsageError, match="no configuration"):
        config.find(str(tmp_path / "none.toml"), {})
