"""Settings: where they come from, which one wins, and that none is taken silently."""

import os
import threading

import pytest
from stewardd.config import loading as config
from stewardd.config.operations import LaneSettings
from stewardd.config.settings import Settings
from stewardd.errors import ConfigurationError
from stewardd.operations.kinds import LANES


def load(tmp_path, text="", environment=None, **overrides):
    file = tmp_path / "steward.toml"
    file.write_text(text)
    return config.load(file, {"data_dir": tmp_path, **overrides}, environment or {})


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path):
    text = '[server]\nmax_concurrent_calls = 1\ndrain_timeout_s = 1.0\nlisten = ["unix:/a"]\n'
    environment = {
        "STEWARDD_SERVER__DRAIN_TIMEOUT_S": "2",
        "STEWARDD_SERVER__LISTEN": "unix:/b, unix:/c",
    }
    settings = load(tmp_path, text, environment, **{"server.listen": ("unix:/d",)})
    assert settings.server.max_concurrent_calls == 1
    assert settings.server.drain_timeout_s == 2.0
    assert settings.server.listen == ("unix:/d",)


@pytest.mark.parametrize(
    ("text", "environment", "named"),
    [
        ("[server]\nlissten = []\n", {}, "server.lissten"),
        ("sever = 1\n", {}, "sever"),
        ("", {"STEWARDD_SERVER__PORT": "1"}, "server.port"),
        ("[server]\nmax_concurrent_calls = 0\n", {}, "server.max_concurrent_calls"),
        ("[repository]\nlease_s = 10.0\nheartbeat_s = 6.0\n", {}, "heartbeat_s"),
    ],
)
def test_a_key_that_is_unknown_or_wrong_is_fatal_and_named(tmp_path, text, environment, named):
    with pytest.raises(ConfigurationError, match=named):
        load(tmp_path, text, environment)


def test_a_secret_may_stand_in_a_file_and_prints_as_stars(tmp_path):
    (tmp_path / "secret").write_text("postgresql://ana:hunter2@db/x\n")
    settings = load(
        tmp_path, f'[postgres.databases.main]\nurl = {{ file = "{tmp_path}/secret" }}\n'
    )
    url = settings.postgres.databases["main"].url
    assert url.get_secret_value() == "postgresql://ana:hunter2@db/x"
    assert "hunter2" not in repr(settings)


def test_a_wrong_value_is_never_repeated_in_the_error(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, '[postgres.databases.main]\nurl = ["hunter2"]\n')
    assert "hunter2" not in str(caught.value)
    assert "postgres.databases.main.url" in str(caught.value)


def test_a_file_that_is_no_toml_or_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="not TOML"):
        load(tmp_path, "[server")
    with pytest.raises(ConfigurationError, match="nothere"):
        config.load(tmp_path / "nothere", {}, {})


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        (
            "[server]\nlissten = []\n",
            {},
            r"server.lissten \(from .*steward.toml\).*server.listen\?",
        ),
        ("sever = 1\n", {}, r"did you mean server\?"),
        ('listen = ["unix:/a"]\n', {}, r"did you mean server.listen\?"),
        ("[repositry]\nlease_s = 1\n", {}, r"did you mean repository\?"),
        ('[postgres.databases.a]\nurll = "x"\n', {}, r"did you mean postgres.databases.a.url\?"),
        (
            "",
            {"STEWARDD_SERVER__LISSTEN": "unix:/a"},
            r"\(from STEWARDD_SERVER__LISSTEN\).*STEWARDD_SERVER__LISTEN\?",
        ),
        ("", {"STEWARDD_LISTEN": "unix:/a"}, r"did you mean STEWARDD_SERVER__LISTEN\?"),
        ("", {"STEWARDD_SERVER__DRAIN_TIMEOUT_S": "x"}, r"from STEWARDD_SERVER__DRAIN_TIMEOUT_S"),
        ("[server]\nwhatever = 1\n", {}, r"server.whatever \(from .*\): there is no such setting$"),
    ],
)
def test_a_wrong_setting_says_where_it_came_from_and_what_is_near(
    tmp_path, text, environment, said
):
    with pytest.raises(ConfigurationError, match=said):
        load(tmp_path, text, environment)


def test_a_wrong_option_is_named_as_it_was_given(tmp_path):
    with pytest.raises(ConfigurationError, match=r"server.listen.0 \(from --listen\)"):
        load(tmp_path, **{"server.listen": ("nothing",)})


def test_a_file_may_be_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(
        target=pipe.write_text, args=("[server]\nmax_concurrent_calls = 7\n",)
    )
    writer.start()
    settings = config.load(pipe, {"data_dir": tmp_path}, {})
    writer.join()
    assert settings.server.max_concurrent_calls == 7


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("server = 1\n", r"server \(from .*steward.toml\): it is a section"),
        ("[postgres]\ndatabases = 1\n", r"postgres.databases \(from .*\): it is a section"),
        (
            "[postgres.databases]\nmain = 1\n",
            r"postgres.databases.main \(from .*\): it is a section",
        ),
    ],
)
def test_a_plain_value_in_the_place_of_a_section_does_not_give_way_to_another_source(
    tmp_path, text, named
):
    environment = {
        "STEWARDD_SERVER__LISTEN": "unix:/a",
        "STEWARDD_POSTGRES__DATABASES__MAIN__URL": "host=db",
    }
    with pytest.raises(ConfigurationError, match=named):
        load(tmp_path, text, environment)


def test_every_lane_of_operations_may_have_a_number_of_its_own(tmp_path):
    assert list(LaneSettings.model_fields) == list(LANES)
    settings = load(tmp_path, "[operations.lanes]\nbackup = 1\n")
    assert settings.operations.max_running_by_lane == {"backup": 1}


def test_an_empty_variable_is_an_empty_list(tmp_path):
    text = '[validation]\nuri_roots = ["/srv"]\n'
    settings = load(tmp_path, text, {"STEWARDD_VALIDATION__URI_ROOTS": ""})
    assert settings.validation.uri_roots == ()


def test_the_settings_by_themselves_do_not_read_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("LOG", '{"level": "debug"}')
    assert Settings(data_dir=tmp_path).log.level == "info"
