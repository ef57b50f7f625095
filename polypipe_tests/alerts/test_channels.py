"""Channels through the real Apprise and a real local server: reports of their failures, without secrets."""

import logging

import apprise
import pytest

from polypipe.alerts import channels as channels_module
from polypipe.alerts.channels import Channels, channel_names
from polypipe.alerts.messages import Message
from polypipe.alerts.ping import ping
from polypipe.runtime.ports import free_port
from polypipe_tests.alerts.support import TOKEN, inbox

HOSTILE = Message("critical", "<b>x</b> *y*", "line <i>one</i> & [a](http://b)\nline \\n two {{x}}")


class Collected(logging.Handler):
    """What reaches the root logger: a server's log. (pytest's own fixture also listens to loggers that do not pass on.)"""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.text = ""

    def emit(self, record):
        self.text += record.getMessage() + "\n"


@pytest.fixture
def root_log():
    root, collected = logging.getLogger(), Collected()
    level = root.level
    root.addHandler(collected)
    root.setLevel(logging.DEBUG)
    yield collected
    root.removeHandler(collected)
    root.setLevel(level)


def test_message_arrives_unchanged():
    with inbox() as channel:
        assert Channels([channel.url]).send("json-1", HOSTILE).ok
        (got,) = channel.messages
        assert got["title"] == f"polypipe {HOSTILE.title}"
        assert got["message"] == HOSTILE.body
        assert got["type"] == "failure"


def test_message_longer_than_the_service_accepts_is_cut_at_a_line(monkeypatch):
    """A service rejects a message that is too long at every retry, which blocks the queue."""
    lines = [f"line {n} {'x' * 100}" for n in range(20)]
    long = Message("critical", "t", "\n".join(lines))
    with inbox() as channel:
        service = type(apprise.Apprise.instantiate(channel.url))
        monkeypatch.setattr(service, "body_maxlen", 1024)
        Channels([channel.url]).send("json-1", long)
        got = channel.messages[-1]["message"]
        assert got.splitlines() == [*lines[:9], channels_module.CUT]
        assert len(got) <= 1024
        monkeypatch.setattr(service, "body_maxlen", 80)
        Channels([channel.url]).send("json-1", long)
        assert channel.messages[-1]["message"] == f"{lines[0][:79]}…"
        monkeypatch.setattr(service, "title_maxlen", 0)  # so that the title is part of the body
        Channels([channel.url]).send("json-1", long)
        assert len(channel.messages[-1]["message"]) <= 80
        before = len(channel.messages)
        Channels([f"{channel.url}?overflow=split"]).send("json-1", long)
        assert len(channel.messages) > before + 10


def test_messages_of_the_demo_begin_with_simulated():
    with inbox() as channel:
        Channels([channel.url], simulated=True).send("json-1", HOSTILE)
        assert channel.messages[0]["title"].startswith("SIMULATED")
        assert channel.messages[0]["message"].startswith("SIMULATED DATA\n")


def test_channel_names_contain_only_scheme_and_number():
    urls = [f"tgram://{TOKEN}/1", "json://h/a", f"tgram://{TOKEN}/2", "json://h/a"]
    assert channel_names(urls) == {"tgram-1": urls[0], "json-1": urls[1], "tgram-2": urls[2]}


@pytest.mark.parametrize(("status", "reason"), [(500, "HTTP 500"), (404, "HTTP 404"), (429, "HTTP 429")])
def test_rejecting_answer_is_reported_by_its_status(status, reason):
    with inbox() as channel:
        channel.answer = status
        outcome = Channels([channel.url]).send("json-1", HOSTILE)
        assert (outcome.ok, outcome.certain) == (False, True)
        assert reason in outcome.reason


def test_rejection_by_one_of_two_recipients_is_not_certain(monkeypatch):
    """The other recipient has the message and gets it once more, marked as possibly repeated."""
    with inbox() as channel:
        service = type(apprise.Apprise.instantiate(channel.url))
        send = service.send

        def to_both(self, *arguments, **named):
            first = send(self, *arguments, **named)
            channel.answer = 403
            return send(self, *arguments, **named) and first

        monkeypatch.setattr(service, "send", to_both)
        outcome = Channels([channel.url]).send("json-1", HOSTILE)
        assert len(channel.messages) == 1
        assert (outcome.ok, outcome.reason, outcome.certain) == (False, "it answered HTTP 403", False)


def test_refused_connection_is_certain():
    outcome = Channels([f"json://127.0.0.1:{free_port()}/{TOKEN}"]).send("json-1", HOSTILE)
    assert (outcome.ok, outcome.reason, outcome.certain) == (False, "no connection", True)


def test_timeout_is_a_failure_with_an_unknown_outcome(monkeypatch):
    monkeypatch.setattr(channels_module, "READ_SECONDS", 0.3)
    with inbox() as channel:
        channel.answer = 0
        outcome = Channels([channel.url]).send("json-1", HOSTILE)
        assert (outcome.ok, outcome.certain) == (False, False)
        assert "no answer" in outcome.reason


@pytest.mark.parametrize("url", [f"nonsense://{TOKEN}", f"tgram://{TOKEN}", f"json://[{TOKEN}", f"discord://{TOKEN}/"])
def test_unusable_url_is_reported_without_the_url(url, root_log):
    channels = Channels([url])
    outcome = channels.send(channels.names[0], HOSTILE)
    assert not outcome.ok
    assert outcome.reason
    assert TOKEN not in outcome.reason + root_log.text


def test_no_log_at_any_level_contains_the_token(root_log, capfd):
    logging.getLogger("polypipe").debug("this is seen")
    with inbox() as channel:
        channels = Channels([channel.url])
        for channel.answer in (200, 500, -1):
            channels.send("json-1", HOSTILE)
        for channel.answer in (200, 500):
            ping(channel.ping_url)
        assert len(channel.paths) == 5
    ping(channel.ping_url)
    channels.send("json-1", HOSTILE)
    printed = capfd.readouterr()
    assert "this is seen" in root_log.text
    assert TOKEN not in root_log.text + printed.out + printed.err
    assert TOKEN not in repr(channels)


def test_connection_that_breaks_after_the_message_has_an_unknown_outcome():
    with inbox() as channel:
        channel.answer = -1
        outcome = Channels([channel.url]).send("json-1", HOSTILE)
        assert (outcome.ok, outcome.certain) == (False, False)


def test_ping_reports_failures_without_the_url():
    with inbox() as channel:
        assert ping(channel.ping_url) is None
        assert channel.pings == 1
        channel.answer = 503
        assert ping(channel.ping_url) == "HTTP 503"
    for url in (channel.ping_url, f"http://{TOKEN}.invalid/", f"http://[{TOKEN}/"):
        why = ping(url)
        assert why
        assert TOKEN not in why
