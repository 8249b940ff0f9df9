"""What of the settings reaches the pool of each database."""

import pytest
from stewardd.app.databases import pool_options, target_source
from stewardd.config import loading
from stewardd.config.settings import Settings
from stewardd.errors import ConfigurationError
from stewardd.postgres.pool import PoolOptions

URL = 'url = "postgresql://ana@db/x"\n'


def load(tmp_path, text) -> Settings:
    file = tmp_path / "steward.toml"
    file.write_text(text)
    return loading.load(file, {"data_dir": tmp_path}, {})


def test_the_defaults_are_those_of_the_pool(tmp_path):
    assert pool_options(load(tmp_path, "").postgres, None) == PoolOptions()


def test_a_database_has_the_settings_of_all_but_for_its_own(tmp_path):
    text = (
        "[postgres]\npool_max_size = 8\npool_max_uses = 10\n"
        f"[postgres.databases.plain]\n{URL}"
        f"[postgres.databases.own]\n{URL}pool_min_size = 0\npool_max_size = 2\npooled = true\n"
    )
    settings = load(tmp_path, text).postgres
    plain = pool_options(settings, settings.databases["plain"])
    own = pool_options(settings, settings.databases["own"])
    assert (plain.min_size, plain.max_size, plain.max_uses, plain.pooled) == (5, 8, 10, False)
    assert (own.min_size, own.max_size, own.max_uses, own.pooled) == (0, 2, 10, True)


@pytest.mark.parametrize("own", ["pool_max_size = 4\n", "pool_min_size = 21\n"])
def test_a_pool_smaller_than_its_minimum_is_fatal_and_named(tmp_path, own):
    with pytest.raises(ConfigurationError, match=r"databases\.a: pool_min_size"):
        load(tmp_path, f"[postgres.databases.a]\n{URL}{own}")


def test_a_url_in_a_file_is_read_anew_and_one_in_the_settings_is_not(tmp_path):
    file = tmp_path / "url"
    file.write_text("postgresql://ana:old@db/x\n")
    settings = load(
        tmp_path,
        f'[postgres.databases.a]\nurl = {{ file = "{file}" }}\n[postgres.databases.b]\n{URL}',
    )
    databases = settings.postgres.databases
    source = target_source("a", databases["a"].url)
    assert source is not None
    file.write_text("postgresql://ana:new@db/x\n")
    assert "new" in source().conninfo
    assert "new" not in repr(source())
    file.unlink()
    with pytest.raises(ConfigurationError, match="'a': the secret's file cannot be read"):
        source()
    assert target_source("b", databases["b"].url) is None
