"""The options of a bucket: each goes where it belongs, and one that means nothing is named."""

from datetime import timedelta

import pytest
from stewardd.errors import ConfigurationError
from stewardd.repository.backend.all import open_store
from stewardd.repository.backend.bucket.options import sort_options


def test_options_are_sorted_and_defaults_added():
    options = {
        "region": "eu-west-1",
        "timeout": "2m",
        "max_retries": "0",
        "retry_timeout": "500ms",
        "root_certificate": "PEM",
    }
    sorted_ = sort_options("s3://b", options)
    assert sorted_.store == {"region": "eu-west-1"}
    assert sorted_.client == {"timeout": "2m", "connect_timeout": "5s", "root_certificate": "PEM"}
    assert (sorted_.max_retries, sorted_.retry_timeout) == (0, timedelta(seconds=0.5))
    assert sort_options("s3://b", {}).retry_timeout == timedelta(seconds=60)


@pytest.mark.parametrize(
    "name",
    ["endpoint", "aws_endpoint", "AWS_ENDPOINT_URL", "azure_storage_endpoint", "google_base_url"],
)
def test_a_plain_endpoint_of_any_cloud_allows_http(name):
    assert sort_options("s3://b", {name: "http://h"}).client["allow_http"] == "true"
    with pytest.raises(ConfigurationError, match=name):
        sort_options("s3://b", {name: "http://h", "allow_http": "false"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", "60"),
        ("connect_timeout", "0s"),
        ("retry_timeout", "soon"),
        ("max_retries", "-1"),
        ("max_retries", "101"),
        ("max_retries", "٣"),
    ],
)
def test_an_option_that_means_nothing_is_named(name, value):
    with pytest.raises(ConfigurationError, match=name):
        open_store("s3://bucket/x", {"access_key_id": "a", name: value})


def test_a_url_is_kept_without_what_it_may_hide():
    options = {"access_key_id": "a", "secret_access_key": "b"}
    assert open_store("s3://user:password@bucket/x/?token=t", options).url == "s3://bucket/x"
    azure = "abfss://box@account.dfs.core.windows.net/x"
    assert open_store(azure, {}).url == azure


def test_an_option_that_nobody_knows_is_refused():
    with pytest.raises(ConfigurationError):
        open_store("s3://bucket", {"no_such_option": "1", "access_key_id": "a"})
