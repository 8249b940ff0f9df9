"""docs/guides/monitoring.md, executed as it stands there; its alerts and its probes ask for what the daemon has."""

import re
import shutil

import pytest
import yaml
from stewardd.metrics.catalogue import CATALOGUE
from stewardd.metrics.metric import Kind

from tests.support.guides import DOCS, Walk, shown

PAGE = "guides/monitoring.md"
TEXT = (DOCS / PAGE).read_text()
WEB = {"STEWARDD_WEB__LISTEN": "localhost:0"}
# What Prometheus itself adds to a target.
ADDED = {"job", "instance"}
# What only a daemon with a second repository prints; the page's has none.
NOT_HERE = {"steward_backup_copies_behind"}


def blocks():
    return [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


def alerts():
    return [rule for group in blocks()[1]["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def walked(session_folder):
    if shutil.which("curl") is None:
        pytest.skip("curl is not there")

    class MonitoringWalk(Walk):
        """The page's own daemon takes the port that the page names, or a free one: another daemon may have it."""

        def start(self, *arguments):
            super().start(*(each.replace(":50552", ":0") for each in arguments))

    walk = MonitoringWalk(session_folder / "guide-monitoring", environment=WEB)
    walk.folder.mkdir()
    walk.folder.chmod(0o711)
    try:
        walk.start()
        yield walk.through(PAGE)
    finally:
        walk.close()


def test_what_is_printed_on_the_page_is_what_is_printed(walked):
    (verbose,) = walked.output('curl --silent --fail "http://localhost:50552/readyz?verbose"')
    assert verbose == shown(TEXT)[0]
    (live,) = walked.output("curl --silent --fail http://localhost:50552/livez")
    assert live == "ok\n"


def test_every_alert_asks_for_metrics_that_were_printed(walked):
    (printed,) = walked.output("curl --silent --fail http://localhost:50552/metrics")
    names = set(re.findall(r"^# TYPE (\w+)", printed, re.MULTILINE))
    for rule in alerts():
        for name in re.findall(r"\b(?:steward|process)_\w+", rule["expr"]):
            assert name.removesuffix("_bucket") in names | NOT_HERE, rule["alert"]


def test_every_alert_matches_labels_and_values_that_there_are():
    declared = {metric.name: metric for metric in CATALOGUE}
    for rule in alerts():
        found = re.findall(r"\b((?:steward|process)_\w+)(?:\{(.*?)\})?", rule["expr"])
        assert found or rule["expr"].startswith("up{"), rule["alert"]
        for name, matchers in found:
            metric = declared[name.removesuffix("_bucket")]
            assert name.endswith("_bucket") == (metric.kind is Kind.HISTOGRAM), rule["alert"]
            labels = {label.name: label for label in metric.labels}
            for label, values in re.findall(r'(\w+)=~?"(.*?)"', matchers):
                if label in ADDED:
                    continue
                assert label in labels, rule["alert"]
                for value in values.split("|"):
                    assert labels[label].values == () or value in labels[label].values, value


def test_an_alert_speaks_of_labels_that_its_expression_keeps():
    for rule in alerts():
        kept = set(re.findall(r"(?:by|on) \(([\w, ]+)\)", rule["expr"]))
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
            if kept:
                assert any(label in each.split(", ") for each in kept), rule["alert"]
        assert rule["alert"].startswith("Steward")


def test_the_probes_ask_paths_of_the_port_that_the_container_opens():
    (container,) = blocks()[2]["spec"]["containers"]
    (port,) = container["ports"]
    (variable,) = container["env"]
    assert variable["value"].endswith(f":{port['containerPort']}")
    paths = [container[f"{probe}Probe"]["httpGet"] for probe in ("liveness", "readiness")]
    assert paths == [{"path": "/livez", "port": "web"}, {"path": "/readyz", "port": "web"}]
