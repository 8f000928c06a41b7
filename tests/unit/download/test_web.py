"""Who is told what: credentials stay with the server they are for."""

import pytest
from physionet_server import PASSWORD, USER, Fault, physionet

from clhcode.download.login import Login, origin
from clhcode.download.trouble import DownloadError, shown
from clhcode.download.web import AGENT, AT_PHYSIONET, Web


@pytest.fixture
def two():
    with physionet() as one, physionet() as other:
        other.guarded = False
        one.files["/files/a.gz"] = other.files["/a.gz"] = b"content"
        yield one, other


def web(server, **more):
    login = Login(USER, PASSWORD, "the test")
    more.setdefault("agent", AT_PHYSIONET)
    return Web(login=login, told=origin(server.url), seconds=5, **more)


def asked(client, url):
    answer = client.ask(url)
    data = answer.read()
    client.close()
    return answer.status, data


def test_they_are_sent_without_a_challenge(two):
    one, _ = two
    assert asked(web(one), f"{one.url}/files/a.gz") == (200, b"content")
    assert [a.agent for a in one.asked] == [AT_PHYSIONET]
    assert AT_PHYSIONET.startswith("Wget/")
    assert AGENT.removeprefix("clh/") in AT_PHYSIONET


def test_other_programs_are_refused_with_a_valid_password(two):
    one, _ = two
    assert asked(web(one, agent="curl/8"), f"{one.url}/files/a.gz")[0] == 403
    assert asked(web(one, agent="libwfdb/10.7"), f"{one.url}/files/a.gz")[0] == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_carries_them_to_another_server(two, status):
    one, other = two
    away = Fault(status=status, headers={"Location": f"{other.url}/a.gz"})
    one.fault = lambda *_: away
    assert asked(web(one), f"{one.url}/files/a.gz") == (200, b"content")
    assert [a.authorization for a in one.asked] != [None]
    assert [a.authorization for a in other.asked] == [None]


def test_a_redirect_within_the_server_keeps_them(two):
    one, _ = two
    moved = Fault(status=302, headers={"Location": "/files/a.gz"})
    one.fault = lambda _, number: moved if number == 1 else None
    assert asked(web(one), f"{one.url}/files/old.gz") == (200, b"content")


def test_back_from_another_server_they_are_sent_again(two):
    one, other = two
    there = Fault(status=302, headers={"Location": f"{other.url}/b"})
    back = Fault(status=302, headers={"Location": f"{one.url}/files/a.gz"})
    one.fault = lambda _, number: there if number == 1 else None
    other.fault = lambda *_: back
    assert asked(web(one), f"{one.url}/files/x") == (200, b"content")
    assert [a.authorization for a in other.asked] == [None]


@pytest.mark.parametrize("away", ["file:///etc/passwd", "ftp://a.org/x", "http://[::1"])
def test_a_redirect_to_no_web_address_is_not_followed(two, away):
    one, _ = two
    one.fault = lambda *_: Fault(status=302, headers={"Location": away})
    with pytest.raises(DownloadError):
        web(one).ask(f"{one.url}/files/a.gz")


def test_a_circle_of_redirects_ends(two):
    one, _ = two
    one.fault = lambda *_: Fault(status=302, headers={"Location": "/files/a.gz"})
    with pytest.raises(DownloadError, match="redirects more than 10 times"):
        web(one).ask(f"{one.url}/files/a.gz")
    assert len(one.asked) == 10


def test_a_proxy_is_asked_for_others_and_never_for_this_machine(two, monkeypatch):
    one, proxy = two
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.url)
    proxy.files["http://far.example.org/a.gz"] = b"by proxy"
    assert asked(web(one), f"{one.url}/files/a.gz") == (200, b"content")
    assert proxy.asked == []
    assert asked(Web(seconds=5), "http://far.example.org/a.gz") == (200, b"by proxy")


def test_an_address_is_shown_without_secrets():
    said = shown("https://ada:secret@a.org:8443/files/x.gz?token=1#f")
    assert said == "https://a.org:8443/files/x.gz"
