"""Credentials: where they are found, and what never shows them."""

import base64

import pytest

from clhcode.download.login import Login, find_login, may_be_told, origin
from clhcode.errors import UserError


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    for name in ("PHYSIONET_USER", "PHYSIONET_PASS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return monkeypatch


def netrc(folder, text):
    (folder / ".netrc").write_text(text)


def test_the_environment_comes_first(nobody, tmp_path):
    netrc(tmp_path, "machine physionet.org login other password secret-2")
    nobody.setenv("PHYSIONET_USER", "ada")
    nobody.setenv("PHYSIONET_PASS", "pass:wörd")
    login = find_login("physionet.org")
    assert (login.user, login.password) == ("ada", "pass:wörd")
    assert base64.b64decode(login.header().split()[1]).decode() == "ada:pass:wörd"
    assert "ada" not in repr(login)
    assert "wörd" not in repr(login)


@pytest.mark.parametrize("host", ["physionet.org", "mirror.example.org"])
def test_netrc_comes_next(tmp_path, host):
    netrc(tmp_path, "machine physionet.org login ada password one")
    login = find_login(host)
    assert (login.user, login.password, login.found) == ("ada", "one", str(tmp_path / ".netrc"))


def test_a_mirror_has_a_line_of_its_own(tmp_path):
    netrc(
        tmp_path,
        "machine physionet.org login ada password one\nmachine m.org login bob password two",
    )
    assert find_login("m.org").user == "bob"


def test_the_default_of_netrc_is_for_others(tmp_path):
    netrc(tmp_path, "default login ada password one")
    assert find_login("physionet.org") is None


def test_netrc_may_lie_elsewhere(nobody, tmp_path):
    (tmp_path / "n").write_text("machine physionet.org login ada password one")
    nobody.setenv("NETRC", str(tmp_path / "n"))
    assert find_login("physionet.org").found == str(tmp_path / "n")


def test_a_damaged_netrc_is_not_quoted(tmp_path):
    netrc(tmp_path, "machine physionet.org login ada passwort geheim-99\n")
    with pytest.raises(UserError, match=r"\.netrc: line 1 cannot be read") as caught:
        find_login("physionet.org")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("there", ["PHYSIONET_USER", "PHYSIONET_PASS"])
def test_half_of_them_is_a_mistake(nobody, there):
    nobody.setenv(there, "half")
    with pytest.raises(UserError, match=f"{there} is set and PHYSIONET_.* is not"):
        find_login("physionet.org")


def test_a_person_is_asked_last():
    typed = Login("ada", "one", "what was typed")
    assert find_login("physionet.org", lambda: typed) is typed
    assert find_login("physionet.org", lambda: None) is None
    with pytest.raises(UserError, match="colon"):
        find_login("physionet.org", lambda: Login("a:b", "one", "what was typed"))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://physionet.org/files/", True),
        ("https://mirror.example.org:8443/", True),
        ("http://127.0.0.1:8000/", True),
        ("http://localhost/", True),
        ("http://[::1]:8000/", True),
        ("http://physionet.org/files/", False),
        ("http://127.0.0.1.example.org/", False),
        ("http://localhost.example.org/", False),
    ],
)
def test_who_may_be_told(url, told):
    assert may_be_told(url) is told


@pytest.mark.parametrize("url", ["ftp://a.org/", "https://", "http://[::1", "https://a:x/", "//a"])
def test_what_is_no_address(url):
    with pytest.raises(UserError, match="--from"):
        origin(url)
