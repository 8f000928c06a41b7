"""`clh fetch` of data sets as a user runs it, against a server that behaves as PhysioNet does."""

import base64
import fcntl
import io
import os
import pty
import random
import resource
import shutil
import signal
import struct
import subprocess
import termios
import time
import zipfile
from pathlib import Path

import mimic_files as made
import pyarrow.parquet as pq
import pytest
from mimic_files import Style
from physionet_server import PAGE, PASSWORD, USER, Fault, physionet

from clhcode.download.sets import Order, fetch_set
from clhcode.download.sources import SOURCES
from clhcode.download.web import Web
from clhcode.errors import UserError
from tests.cli.run import CLH, awaited, clh, complaint, on_a_terminal, started, text
from tests.conftest import shared

FILES = SOURCES["mimic-iii"].files
RAW = Path("data/mimic-iii/raw")


def noise(size, seed):
    return random.Random(seed).randbytes(size)


@pytest.fixture
def server():
    with physionet() as running:
        yield running


@pytest.fixture
def home(tmp_path):
    """The environment of a user with credentials, and nothing of the real one."""
    return {
        "HOME": str(tmp_path / "home"),
        "NETRC": "",
        "XDG_DATA_HOME": str(tmp_path / "home/data"),
        "PHYSIONET_USER": USER,
        "PHYSIONET_PASS": PASSWORD,
    }


@pytest.fixture
def three(server):
    """MIMIC-III's needed files and others, of noise; its address."""
    others = ("LICENSE.txt", "CALLOUT.csv.gz", "index.html")
    names = (*FILES, *others)
    server.content = {name: noise(30_000 + 7 * n, n) for n, name in enumerate(names)}
    server.content["index.html"] = PAGE
    return server.publish("mimiciii/1.4", server.content)


def listed(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def arrived(server, folder, names):
    """Whether these files are here byte for byte, and nothing else but the sums and the record."""
    assert listed(folder) == {*names, "SHA256SUMS.txt", ".fetched.json"}
    for name in names:
        assert (folder / name).read_bytes() == server.content[name], name


def fetch(root, tmp_path, home, *more):
    return text("fetch", "mimic-iii", "--from", root, *more, env=home, cwd=tmp_path)


# What comes.


def test_what_coding_needs_comes_byte_for_byte(server, three, home, tmp_path):
    shown = fetch(three, tmp_path, home)
    arrived(server, tmp_path / RAW, {*FILES, "LICENSE.txt"})
    assert shown == f"MIMIC-III 1.4: 8 files, 240 kB, 8 came now -> {RAW}\n"
    assert not server.gets("CALLOUT.csv.gz")


def test_what_is_whole_is_not_asked_for_again(server, three, home, tmp_path):
    fetch(three, tmp_path, home)
    before = len(server.asked)
    assert "all were there" in fetch(three, tmp_path, home)
    assert len(server.asked) == before
    (tmp_path / RAW / FILES[0]).unlink()
    (tmp_path / RAW / FILES[1]).write_bytes(b"changed")
    done = clh("fetch", "mimic-iii", "--from", three, env=home, cwd=tmp_path)
    assert b"8 files, 240 kB, 2 came now" in done.stdout
    assert f"{FILES[1]}: not the published file" in done.stderr.decode()
    asked = {a.path.rpartition("/")[2] for a in server.asked[before:]}
    # Not even the sums, which are remembered.
    assert asked == set(FILES[:2])
    arrived(server, tmp_path / RAW, {*FILES, "LICENSE.txt"})


def test_all_of_a_set(server, three, home, tmp_path):
    fetch(three, tmp_path, home)
    before = len(server.asked)
    fetch(three, tmp_path, home, "--all")
    arrived(server, tmp_path / RAW, set(server.content))
    assert {a.path.rpartition("/")[2] for a in server.asked[before:]} == {
        "CALLOUT.csv.gz",
        "index.html",
    }


def test_files_at_hand_are_taken_for_what_they_are(server, three, home, tmp_path):
    for name in FILES[:3]:
        target = tmp_path / RAW / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(server.content[name])
    fetch(three, tmp_path, home)
    assert not any(server.gets(name) for name in FILES[:3])
    arrived(server, tmp_path / RAW, {*FILES, "LICENSE.txt"})


def test_another_release_is_not_mixed_in(server, home, tmp_path):
    files = {name: noise(100, n) for n, name in enumerate(SOURCES["mimic-iv"].files)}
    two, three = (server.publish(f"mimiciv/{r}", files) for r in ("2.2", "3.1"))
    ask = ("fetch", "mimic-iv", "--from")
    assert "MIMIC-IV 3.1: 4 files" in text(*ask, three, env=home, cwd=tmp_path)
    line = complaint(*ask, two, "--release", "2.2", env=home, cwd=tmp_path)
    assert "data/mimic-iv/raw: holds MIMIC-IV 3.1; move it away to fetch 2.2" in line
    assert "2.2 or 3.0 or 3.1" in complaint(*ask, two, "--release", "2", env=home, cwd=tmp_path)


@pytest.mark.parametrize("agent", [None, "libwfdb/10.7.0 (mine)"])
def test_the_name_of_the_program(server, three, home, tmp_path, agent):
    fetch(three, tmp_path, home, *(("--user-agent", agent) if agent else ()))
    names = {asked.agent for asked in server.asked}
    assert len(names) == 1
    assert names.pop().startswith(agent or "Wget/")
    assert all(asked.authorization for asked in server.asked)


# What is said.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.users.clear(), ("401", "wrong user or password", "PHYSIONET_PASS")),
        (
            lambda s: s.signed.clear(),
            ("403", "sign the agreement at https://physionet.org/content/mimiciii/1.4/", "Wget/"),
        ),
        (lambda s: s.files.clear(), ("404", "https://physionet.org/content/mimiciii/1.4/")),
        (
            lambda s: s.files.pop(f"/files/mimiciii/1.4/{FILES[4]}"),
            (f"1.4/{FILES[4]}: 404", "https://physionet.org/content/mimiciii/1.4/"),
        ),
        (
            lambda s: s.files.update({"/files/mimiciii/1.4/SHA256SUMS.txt": b"0" * 64 + b" A"}),
            ("no ADMISSIONS.csv.gz and 6 more listed in ", "SHA256SUMS.txt"),
        ),
        (
            lambda s: setattr(s, "fault", lambda *_: Fault(page=True)),
            ("SHA256SUMS.txt: a web page (a login or an index) in place of the file",),
        ),
        (
            lambda s: s.files.update({"/files/mimiciii/1.4/SHA256SUMS.txt": b"Please log in"}),
            ("line 1 is no line of SHA256SUMS.txt",),
        ),
    ],
)
def test_each_trouble_has_its_line(server, three, home, tmp_path, change, said):
    change(server)
    line = complaint("fetch", "mimic-iii", "--from", three, env=home, cwd=tmp_path, unsaid=PASSWORD)
    assert all(part in line for part in ("clh: mimic-iii: ", *said)), line


def test_a_wrong_file_is_removed_and_told(server, three, home, tmp_path):
    path = f"/files/mimiciii/1.4/{FILES[0]}"
    right, server.files[path] = server.files[path], b"wrong"
    line = complaint("fetch", "mimic-iii", "--from", three, env=home, cwd=tmp_path)
    assert f"{FILES[0]}: its SHA-256 is not the published one; it was not kept" in line
    assert not any(FILES[0] in name for name in listed(tmp_path / RAW))
    server.files[path] = right
    fetch(three, tmp_path, home)
    # The sums are asked for again: they might have been what was wrong.
    assert len(server.gets("SHA256SUMS.txt")) == 2
    arrived(server, tmp_path / RAW, {*FILES, "LICENSE.txt"})


def test_programs_of_other_names_are_told_so(server, three, home, tmp_path):
    ask = ("fetch", "mimic-iii", "--from", three, "--user-agent", "curl/8.0")
    line = complaint(*ask, env=home, cwd=tmp_path)
    assert "403" in line
    assert "begin with Wget/ or libwfdb/ (sent: curl/8.0; --user-agent)" in line


def test_without_credentials(server, three, home, tmp_path):
    nobody = {**home, "PHYSIONET_USER": "", "PHYSIONET_PASS": ""}
    line = complaint("fetch", "mimic-iii", env=nobody, cwd=tmp_path)
    assert "needs an account that signed https://physionet.org/content/mimiciii/1.4/" in line
    assert "set PHYSIONET_USER and PHYSIONET_PASS, or a line for physionet.org in ~/.netrc" in line
    line = complaint("fetch", "mimic-iii", "--from", three, env=nobody, cwd=tmp_path)
    assert "401" in line
    assert "it wants a user and a password (set PHYSIONET_USER" in line
    half = {**home, "PHYSIONET_PASS": ""}
    line = complaint("fetch", "mimic-iii", env=half, cwd=tmp_path)
    assert "PHYSIONET_USER is set and PHYSIONET_PASS is not" in line
    # Nothing came, so nothing looks like a data set.
    assert not (tmp_path / "data/mimic-iii").exists()
    # A mirror may be open.
    server.guarded = False
    text("fetch", "mimic-iii", "--from", three, env=nobody, cwd=tmp_path)


def test_no_credentials_over_an_open_line(home, tmp_path):
    # The proxy stands in for the far server: it sees all that is sent there.
    with physionet() as proxy:
        env = {**home, "http_proxy": proxy.url, "no_proxy": "", "NO_PROXY": ""}
        ask = ("fetch", "mimic-iii", "--from", "http://mirror.example.org/files/")
        done = clh(*ask, env=env, cwd=tmp_path)
        assert done.returncode == 2
        assert b"credentials are sent to https and to this machine only" in done.stderr
        assert len(proxy.asked) > 0
        assert {asked.authorization for asked in proxy.asked} == {None}


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("http://127.0.0.1:9/x/", "refuses the connection"),
        ("https://no-such-host.invalid/x/", "no such host"),
        ("ftp://a.org/x/", "an address such as https://host/folder/ is meant"),
        ("nowhere/at/all", "nowhere/at/all: not there"),
        ("http://[::1", "an address such as https://host/folder/ is meant"),
        ("http://127.0.0.1/x/?token=1", "the address of a folder has no `?`"),
    ],
)
def test_addresses_that_lead_nowhere(home, tmp_path, root, said):
    # Where a proxy is set it looks names up, which says another thing.
    env = {**home, "https_proxy": "", "HTTPS_PROXY": "", "all_proxy": "", "ALL_PROXY": ""}
    begun = time.monotonic()
    assert said in complaint("fetch", "mimic-iii", "--from", root, env=env, cwd=tmp_path)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://ada:geheim-99@physionet.org/files/", "must not hold user and password"),
        ("https://ada:geheim-99/@physionet.org/", "an address such as"),
        ("ada:geheim-99@physionet.org/files/", "--from: not there"),
    ],
)
def test_a_password_in_an_address_is_refused_and_not_said_again(home, tmp_path, address, said):
    ask = ("fetch", "mimic-iii", "--from", address)
    assert said in complaint(*ask, env=home, cwd=tmp_path, unsaid="geheim-99")


def test_a_token_in_the_address_of_a_zip_is_not_written_down(server, home, tmp_path):
    server.files["/codiesp.zip?token=geheim-99"] = codiesp()
    address = f"{server.url}/codiesp.zip?token=geheim-99"
    text("fetch", "codiesp", "--from", address, env=home, cwd=tmp_path)
    record = (tmp_path / "data/codiesp/raw/.fetched.json").read_text()
    assert f"{server.url}/codiesp.zip" in record
    assert "geheim" not in record
    server.files.clear()
    (tmp_path / "data/codiesp/raw/dev/devD.tsv").unlink()
    ask = ("fetch", "codiesp", "--from", address)
    assert "404" in complaint(*ask, env=home, cwd=tmp_path, unsaid="geheim")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fetch", "mimic"), "no data set 'mimic': known are mimic-iii, mimic-iv, "),
        (("fetch", "--all"), "say which data set"),
        (("fetch", "mdace", "--codes", "/dev/null"), "only aci-bench takes codes"),
        (("fetch", "mdace", "--user-agent", "a\nb"), "--user-agent"),
        (("fetch", "icd10cm", "--all"), "--all"),
    ],
)
def test_wrong_commands(arguments, said, tmp_path):
    assert said in complaint(*arguments, cwd=tmp_path)


# What breaks off.


def spoilt(server, *, slow=False, pause=0.05):
    """NOTEEVENTS comes slowly, all else at once."""
    slowly = Fault(pause=pause, block=3_000)
    server.fault = lambda asked, _: slowly if slow and asked.path.endswith(FILES[0]) else None


def test_kill_nine_and_on_from_there(server, three, home, tmp_path):
    spoilt(server, slow=True)
    ask = ("fetch", "mimic-iii", "--from", three)
    part = tmp_path / RAW / f"{FILES[0]}.part"

    def come():
        others = all((tmp_path / RAW / name).exists() for name in FILES[1:])
        return part.stat().st_size if others and part.exists() else 0

    with started(*ask, env={**os.environ, **home}, cwd=tmp_path) as process:
        awaited(lambda: come() >= 6_000, process)
        process.kill()
    with started(*ask, env={**os.environ, **home}, cwd=tmp_path) as process:
        awaited(lambda: come() >= 15_000, process)
        process.kill()
    have = part.stat().st_size
    assert 15_000 <= have < 30_000
    spoilt(server)
    fetch(three, tmp_path, home)
    assert server.gets(FILES[0])[-1].range == f"bytes={have}-"
    # What had come as a whole was asked for once.
    assert [len(server.gets(name)) for name in FILES[1:]] == [1] * 6
    arrived(server, tmp_path / RAW, {*FILES, "LICENSE.txt"})


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_stops_it_is_told_that_it_goes_on(server, three, home, tmp_path, how, code):
    spoilt(server, slow=True)
    part = tmp_path / RAW / f"{FILES[0]}.part"
    ask = ("fetch", "mimic-iii", "--from", three)
    with started(*ask, env={**os.environ, **home}, cwd=tmp_path) as process:
        awaited(lambda: part.exists() and part.stat().st_size >= 3_000, process)
        process.send_signal(how)
        out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert out == b""
    if how == signal.SIGINT:
        assert b"stopped; what came is kept, and the same command goes on from there" in err
    assert b"Traceback" not in err
    spoilt(server)
    fetch(three, tmp_path, home)
    arrived(server, tmp_path / RAW, {*FILES, "LICENSE.txt"})


def test_two_at_the_same_time_do_not_mix(server, three, home, tmp_path):
    spoilt(server, slow=True, pause=0.5)
    part = tmp_path / RAW / f"{FILES[0]}.part"
    ask = ("fetch", "mimic-iii", "--from", three)
    with started(*ask, env={**os.environ, **home}, cwd=tmp_path) as process:
        awaited(part.exists, process)
        assert "another `clh fetch` is at work there" in complaint(*ask, env=home, cwd=tmp_path)
        process.communicate(timeout=60)
    assert process.returncode == 0
    arrived(server, tmp_path / RAW, {*FILES, "LICENSE.txt"})


def test_a_full_disk(server, three, home, tmp_path):
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [*CLH, "fetch", "mimic-iii", "--from", three],
        env={**os.environ, **home},
        cwd=tmp_path,
        preexec_fn=small,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert "the disk is full; what came is kept, and the same command goes on from there" in line
    assert any(p.stat().st_size == 20_000 for p in (tmp_path / RAW).glob("*.part"))
    fetch(three, tmp_path, home)
    assert any(asked.range == "bytes=20000-" for asked in server.asked)
    arrived(server, tmp_path / RAW, {*FILES, "LICENSE.txt"})


def test_room_is_asked_for_first(server, three, tmp_path, monkeypatch):
    server.guarded = False
    free = shutil.disk_usage(tmp_path)._replace(free=1_100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    order = Order(SOURCES["mimic-iii"], "1.4", tmp_path / "raw", three)
    # 7 files of 30,021 bytes on average and the licence, beside a margin of 1,048,576.
    with pytest.raises(UserError, match=r"1\.3 MB are to come and 1\.1 MB are free: \d+ kB are"):
        fetch_set(order, Web())
    assert not any(server.gets(name) for name in FILES)
    assert listed(tmp_path / "raw") == {"SHA256SUMS.txt", ".fetched.json"}


# Nobody sees the password.

SECRETS = (PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())


def seen_in_processes(secret):
    """Processes whose command line shows it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if secret.encode() in path.read_bytes():
                found.append(path)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("place", ["environment", "netrc"])
@pytest.mark.parametrize("ending", ["whole", "refused", "debug"])
def test_nobody_sees_the_password(server, three, home, tmp_path, place, ending):
    netrc = tmp_path / "credentials"
    if place == "netrc":
        # The name of the user has no blanks; quotes keep those of the password together.
        netrc.write_text(f'machine 127.0.0.1 login {USER} password "{PASSWORD}"')
        home |= {"NETRC": str(netrc), "PHYSIONET_USER": "", "PHYSIONET_PASS": ""}
    if ending == "debug":
        home["CLH_DEBUG"] = "1"
    slowly = Fault(pause=0.05, block=3_000)
    last = Fault(status=403)
    refused = ending != "whole"
    server.fault = lambda asked, _: (
        slowly
        if asked.path.endswith(FILES[0])
        else last
        if refused and "PATIENTS" in asked.path
        else None
    )
    part = tmp_path / RAW / f"{FILES[0]}.part"
    ask = ("fetch", "mimic-iii", "--from", three)
    with started(*ask, env={**os.environ, **home}, cwd=tmp_path) as process:
        awaited(lambda: part.exists() or refused, process)
        time.sleep(0.1)
        assert not any(map(seen_in_processes, SECRETS))
        if place == "netrc":
            environ = Path(f"/proc/{process.pid}/environ")
            assert PASSWORD.encode() not in (environ.read_bytes() if environ.exists() else b"")
        out, err = process.communicate(timeout=60)
    assert (process.returncode == 0) != refused
    written = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p != netrc]
    for secret in SECRETS:
        assert not any(secret.encode() in each for each in (out, err, *written))
    # And yet the server was told it.
    assert any(a.authorization == f"Basic {SECRETS[1]}" for a in server.asked)


def test_a_person_is_asked_and_what_is_typed_is_not_shown(server, three, home, tmp_path):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))

    def terminal():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    env = {**os.environ, **home, "PHYSIONET_USER": "", "PHYSIONET_PASS": "", "TERM": "xterm"}
    process = subprocess.Popen(
        [*CLH, "fetch", "mimic-iii", "--from", three],
        env=env,
        cwd=tmp_path,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        preexec_fn=terminal,  # noqa: PLW1509 - the child calls the system and nothing else
    )
    os.close(theirs)
    shown = b""
    for prompt, typed in ((b"PhysioNet user", USER), (b"Password", PASSWORD)):
        while prompt not in shown:
            shown += os.read(ours, 1024)
        os.write(ours, f"{typed}\n".encode())
    with process:
        out = process.stdout.read()
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:
                break
            shown += block
    os.close(ours)
    assert process.returncode == 0, shown
    assert b"8 files, 240 kB" in out
    assert PASSWORD.encode() not in shown + out
    # Progress is seen on a terminal.
    assert b"B/s" in shown


# From a set to its table.


def published(server, folder, stays):
    """MIMIC-III with these stays, in the official shape, on the server; its address."""
    flat = Style(tree=False)
    made.mimic_iii(folder, stays, flat)
    for name in ("D_ICD_DIAGNOSES", "D_ICD_PROCEDURES"):
        made.csv_file(folder / name, ("ROW_ID", "ICD9_CODE"), [[1, "4019"]], flat, quoted=True)
    return server.publish("mimiciii/1.4", {p.name: p.read_bytes() for p in folder.iterdir()})


def zipped(files, top="", more=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(top + name, data)
        for name, data in more:
            archive.writestr(name, data)
    return out.getvalue()


def repository_of_splits(folder, stays):
    """The splits as the repository's zip has them."""
    files = {"src/data/prepare.py": b"", "LICENSE": b"Apache"}
    for pattern in SOURCES["splits"].files:
        name = pattern.removeprefix("**/")
        made.splits(folder, name, stays)
        files[f"files/data/{name.rpartition('_')[0]}/{name}"] = (folder / name).read_bytes()
    files["files/data/mimiciv_icd9/mimiciv_icd9_train_subset_10k.feather"] = b"other"
    return zipped(files, "medical-coding-reproducibility-0123/")


def test_mimic_iii_and_splits_to_the_table(server, home, tmp_path):
    stays = made.many(60)
    root = published(server, tmp_path / "official", stays)
    server.files["/splits.zip"] = repository_of_splits(tmp_path / "made", stays)
    fetch(root, tmp_path, home)
    shown = text("fetch", "splits", "--from", f"{server.url}/splits.zip", env=home, cwd=tmp_path)
    assert "5 files" in shown
    assert [a.authorization for a in server.gets("splits.zip")] == [None]
    assert server.gets("splits.zip")[0].agent.startswith("clh/")
    assert "mimiciii_full/mimiciii_full_splits.feather" in listed(tmp_path / "data/splits/raw")
    text("prepare", "mimic-iii", env=home, cwd=tmp_path)
    kept = ("encounter_id", "dataset", "split", "subject_id", "sex", "age", "setting")
    table = pq.read_table(tmp_path / "data/mimic-iii/prepared/mimic-iii.parquet").to_pylist()
    found = [{key: row[key] for key in (*kept, "notes", "gold")} for row in table]
    assert found == made.table_of(stays, "mimic-iii")


def codiesp():
    """CodiEsp of two cases a split, as its zip has them."""
    files = {}
    for split in ("train", "dev", "test"):
        for n in (1, 2):
            files[f"{split}/text_files/S{split}{n}.txt"] = "Paciente con hipertensión."
            files[f"{split}/text_files_en/S{split}{n}.txt"] = "Patient with hypertension."
        files[f"{split}/{split}D.tsv"] = "".join(f"S{split}{n}\ti10\n" for n in (1, 2))
        files[f"{split}/{split}P.tsv"] = ""
        files[f"{split}/{split}X.tsv"] = f"S{split}1\tDIAGNOSTICO\ti10\thipertensión\t13 25\n"
    macos = [("__MACOSX/final_dataset_v4_to_publish/dev/._devD.tsv", b"x")]
    evil = [("../../escaped.tsv", b"x"), ("/etc/escaped.tsv", b"x")]
    return zipped(files, "final_dataset_v4_to_publish/", [*macos, *evil])


@pytest.mark.parametrize("cut", [None, 700])
def test_codiesp_from_its_zip_to_the_table(server, home, tmp_path, cut):
    server.files["/codiesp.zip"] = codiesp()
    server.fault = lambda asked, n: (
        Fault(cut=cut) if cut and asked.method == "GET" and n < 4 else None
    )
    address = f"{server.url}/codiesp.zip"
    assert "21 files" in text("fetch", "codiesp", "--from", address, env=home, cwd=tmp_path)
    raw = tmp_path / "data/codiesp/raw"
    assert (raw / "dev/devD.tsv").read_text() == "Sdev1\ti10\nSdev2\ti10\n"
    assert not any("MACOSX" in name or "zip" in name for name in listed(raw))
    assert not list(tmp_path.rglob("escaped.tsv"))
    before = len(server.asked)
    assert "all were there" in text("fetch", "codiesp", "--from", address, env=home, cwd=tmp_path)
    assert len(server.asked) == before
    text("prepare", "codiesp", env=home, cwd=tmp_path)
    table = pq.read_table(tmp_path / "data/codiesp/prepared/codiesp.parquet")
    assert table["split"].to_pylist() == [s for s in ("train", "dev", "test") for _ in range(2)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (PAGE, "a web page (a login or an index)"),
        (codiesp()[:900], "not a zip, or damaged"),
        (zipped({"README.md": b"other"}), "no */*D.tsv and 4 more in http"),
    ],
)
def test_what_is_no_zip_of_the_set(server, home, tmp_path, data, said):
    server.files["/codiesp.zip"] = data
    ask = ("fetch", "codiesp", "--from", f"{server.url}/codiesp.zip")
    line = complaint(*ask, env=home, cwd=tmp_path)
    assert said in line
    assert "https://zenodo.org/records/3837305" in line
    # It does not stand in the way of the right one.
    server.files["/codiesp.zip"] = codiesp()
    text(*ask, env=home, cwd=tmp_path)


@pytest.mark.parametrize(
    ("name", "count"), [("mdace", 721), ("splits", 6), ("codiesp", 1_506), ("aci-bench", 5)]
)
def test_real_files_at_hand(home, tmp_path, name, count):
    source = shared(name)
    shown = text("fetch", name, "--from", source, env=home, cwd=tmp_path)
    raw = tmp_path / f"data/{name}/raw"
    assert f"{count:,} files" in shown
    assert listed(raw) - {".fetched.json"} <= listed(source)
    assert all(
        (raw / p).read_bytes() == (source / p).read_bytes() for p in listed(raw) - {".fetched.json"}
    )
    if name in ("codiesp", "aci-bench"):
        text("prepare", name, env=home, cwd=tmp_path)


def test_a_folder_is_checked_by_its_sums(server, three, home, tmp_path):
    copy = tmp_path / "mnt/physionet.org/files/mimiciii/1.4"
    copy.mkdir(parents=True)
    for path, data in server.files.items():
        (copy / path.rpartition("/")[2]).write_bytes(data)
    fetch(tmp_path / "mnt", tmp_path, home)
    raw = tmp_path / RAW
    assert {*FILES, "LICENSE.txt", ".fetched.json"} == listed(raw)
    assert server.asked == []
    done = clh("fetch", "mimic-iii", "--from", copy, "--all", env=home, cwd=tmp_path)
    assert b": 11 files, " in done.stdout
    assert b"taken as they are" not in done.stderr
    # The folder itself can be looked at again.
    assert "all were there" in fetch(raw, tmp_path, home)
    (copy / FILES[2]).write_bytes(b"damaged")
    line = complaint("fetch", "mimic-iii", "--from", copy, env=home, cwd=tmp_path)
    assert f"{FILES[2]}: its SHA-256 is not the published one" in line
    (copy / FILES[2]).unlink()
    line = complaint("fetch", "mimic-iii", "--from", copy, env=home, cwd=tmp_path)
    assert f"no {FILES[2]}" in line
    (copy / FILES[2]).write_bytes(server.content[FILES[2]])
    (copy / "SHA256SUMS.txt").unlink()
    done = clh("fetch", "mimic-iii", "--from", copy, env=home, cwd=tmp_path)
    assert b"8 of 8 files taken as they are: no sum of theirs known" in done.stderr
    # What was whole before stays so.
    assert (raw / FILES[2]).read_bytes() == server.content[FILES[2]]


def test_expert_codes_of_aci_bench(home, tmp_path):
    notes = {f"{s}.csv": "encounter_id,note\nD1,x\n" for s in ("train", "valid")}
    notes |= {f"{s}_metadata.csv": "encounter_id\nD1\n" for s in ("train", "valid")}
    path = tmp_path / "aci.zip"
    path.write_bytes(zipped(notes, "aci-bench-HEAD/data/challenge_data/"))
    codes = tmp_path / "codes.csv"
    codes.write_text("encounter_id,code\nD1,I10\nD1,E11.9\n")
    ask = ("fetch", "aci-bench", "--from", path, "--codes", codes)
    assert "2 expert codes of 1 encounters" in text(*ask, env=home, cwd=tmp_path)
    target = tmp_path / "data/aci-bench/raw/icd10cm_gold.csv"
    assert target.read_bytes() == codes.read_bytes()
    codes.write_text("encounter,code\nD1,I10\n")
    assert "no column `encounter_id`" in complaint(*ask, env=home, cwd=tmp_path)


# What is there.


def test_the_list(server, three, home, tmp_path, monkeypatch):
    fetch(three, tmp_path, home)
    (tmp_path / RAW / FILES[0]).unlink()
    (tmp_path / "data/mimic-iv/raw/hosp").mkdir(parents=True)
    (tmp_path / "data/mimic-iv/raw/hosp/patients.csv").write_bytes(b"x" * 1_000)
    shown = text("fetch", env={**home, "COLUMNS": "160"}, cwd=tmp_path)
    lines = {line.split()[0]: line.split() for line in shown.splitlines()}
    assert {*SOURCES, "icd10cm"} <= set(lines)
    assert lines["mimic-iii"][1:5] == ["partly", "1.4", "210", "kB"]
    assert "missing: NOTEEVENTS.csv.gz\n" in shown
    assert lines["mimic-iv"][1:4] == ["partly", "1.0", "kB"]
    told = "missing: hosp/diagnoses_icd.csv.gz, hosp/procedures_icd.csv.gz, hosp/admissions.csv.gz"
    assert f"{told}\n" in shown
    assert lines["meddec"][1:5] == ["missing", "about", "12", "MB"]
    assert "\x1b" not in shown
    fetch(three, tmp_path, home)
    assert "mimic-iii      whole 1.4" in text("fetch", env=home, cwd=tmp_path)
    monkeypatch.chdir(tmp_path)
    coloured = on_a_terminal("fetch", **home)
    assert "\x1b[36mwhole 1.4" in coloured
    assert "\x1b" not in on_a_terminal("fetch", "--plain", **home)
