"""One file over real HTTP, whatever the server does: every byte of it, or the right trouble."""

import hashlib
import random
import threading
import time

import pytest
from physionet_server import PAGE, Fault, physionet

from clhcode.download.file import BLOCK, Download, Patience, get
from clhcode.download.trouble import DownloadError
from clhcode.download.web import Web

HASTY = Patience(pause=0.001)


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.fixture
def server():
    with physionet() as running:
        running.guarded = False
        yield running


class Case:
    """A file on the server and where it goes."""

    def __init__(self, server, folder, data, name="a.csv.gz", **more):
        self.server, self.data = server, data
        server.files[f"/{name}"] = data
        more.setdefault("sum", hashlib.sha256(data).hexdigest())
        self.file = Download(f"{server.url}/{name}", folder / name, **more)

    def get(self, *, patience=HASTY, seconds=10.0, **more):
        web = Web(seconds=seconds)
        try:
            get(web, self.file, patience=patience, **more)
        finally:
            web.close()

    def fails(self, **more):
        with pytest.raises(DownloadError) as caught:
            self.get(**more)
        assert not self.file.target.exists()
        return caught.value

    def arrived(self):
        assert self.file.target.read_bytes() == self.data
        assert [p.name for p in self.file.target.parent.iterdir()] == [self.file.target.name]

    def ranges(self):
        return [asked.range for asked in self.server.asked]


@pytest.fixture
def case(server, tmp_path):
    return Case(server, tmp_path, noise(200_000))


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 7])
def test_every_byte_arrives(server, tmp_path, size):
    case = Case(server, tmp_path, noise(size))
    told = []
    case.get(tell=lambda *said: told.append(said))
    case.arrived()
    assert told[-1:] == ([("a.csv.gz", size, size)] if size else [])


def test_a_part_is_gone_on_with(case):
    case.file.part.write_bytes(case.data[:70_000])
    case.get()
    case.arrived()
    assert case.ranges() == ["bytes=70000-"]


def test_a_cut_is_gone_on_with_in_the_same_run(case):
    case.server.fault = lambda _, number: Fault(cut=50_000) if number == 1 else None
    case.get()
    case.arrived()
    assert case.ranges() == [None, "bytes=50000-"]
    # The version that the part is of.
    assert case.server.asked[1].if_range is not None


@pytest.mark.parametrize("etags", [True, False])
def test_a_server_without_ranges_sends_all_anew(case, etags):
    case.server.etags = etags
    case.file.part.write_bytes(case.data[:70_000])
    case.server.fault = lambda *_: Fault(whole=True)
    case.get()
    case.arrived()


def test_another_version_is_not_joined_to_the_part_of_the_first(server, tmp_path):
    old, new = noise(100_000), noise(120_000, 2)
    case = Case(server, tmp_path, old, sum=None)
    server.fault = lambda _, number: Fault(cut=40_000) if number == 1 else None
    case.fails(patience=Patience(tries=1))
    assert case.file.part.read_bytes() == old[:40_000]
    case.data = server.files["/a.csv.gz"] = new
    case.get()
    case.arrived()
    assert case.ranges() == [None, "bytes=40000-"]


def test_another_version_is_seen_where_if_range_is_not_heard(server, tmp_path):
    case = Case(server, tmp_path, noise(100_000), sum=None)
    case.file.part.write_bytes(noise(40_000, 9))
    case.file.mark.write_text('"of another version"')
    etag = {"ETag": '"new"'}
    real = server.note

    def deaf(asked):
        fault = real(asked)
        object.__setattr__(asked, "if_range", None)
        return fault

    server.note = deaf
    server.fault = lambda *_: Fault(headers=etag)
    case.get()
    case.arrived()
    assert case.ranges() == ["bytes=40000-", None]


def test_a_range_of_another_place_is_not_taken(case):
    case.file.part.write_bytes(case.data[:70_000])
    case.server.fault = lambda _, number: Fault(shift=10) if number == 1 else None
    case.get()
    case.arrived()
    assert case.ranges() == ["bytes=70000-", None]


def test_a_part_that_is_whole_is_only_checked(case):
    case.file.part.write_bytes(case.data)
    case.get()
    case.arrived()
    assert case.ranges() == ["bytes=200000-"]


def test_a_part_longer_than_the_file_is_thrown_away(case):
    case.file.part.write_bytes(noise(300_000, 5))
    case.get()
    case.arrived()


def test_attempts_are_counted_anew_when_bytes_have_come(server, tmp_path):
    case = Case(server, tmp_path, noise(2_000))
    server.fault = lambda *_: Fault(cut=100)
    case.get(patience=Patience(tries=2, pause=0.001))
    case.arrived()
    assert len(server.asked) == 20


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(status=503), "refused"),
        (Fault(status=429), "refused"),
        (Fault(status=500), "refused"),
        (Fault(cut=0), "broken"),
        (Fault(drop=True), "unreachable"),
        (Fault(drop=True, reset=True), "unreachable"),
        # Something comes each time, and never more than before.
        (Fault(cut=100, whole=True), "broken"),
    ],
)
def test_a_server_that_never_sends_more_is_given_up(case, fault, kind):
    case.server.fault = lambda _, number: fault if number > 1 else Fault(cut=200)
    trouble = case.fails(patience=Patience(tries=3, pause=0.001))
    assert trouble.kind == kind
    # The first that brought bytes counts as one; two more, and three where the part is lost.
    assert len(case.server.asked) in (3, 4)


def test_an_address_without_a_server_is_given_up_at_once(tmp_path):
    file = Download("http://127.0.0.1:9/a.gz", tmp_path / "a.gz")
    begun = time.monotonic()
    with pytest.raises(DownloadError, match="refuses the connection") as caught:
        get(Web(), file)
    assert caught.value.kind == "nowhere"
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_what_no_attempt_mends_is_asked_once(case, status):
    case.server.fault = lambda *_: Fault(status=status)
    trouble = case.fails()
    assert (trouble.kind, trouble.status) == ("refused", status)
    assert len(case.server.asked) == 1


def test_waiting_grows_and_the_server_may_ask_for_more():
    patience = Patience(pause=1.0, longest=600.0)
    assert [patience.wait(n, None) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert patience.wait(1, 30.0) == 30
    assert patience.wait(8, 0.0) == 0
    assert patience.wait(1, 1e9) == 600


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_kept_to(case, as_date):
    from email.utils import formatdate

    said = formatdate(time.time() + 2, usegmt=True) if as_date else "1"
    answer = Fault(status=503, headers={"Retry-After": said})
    case.server.fault = lambda _, number: answer if number == 1 else None
    begun = time.monotonic()
    case.get()
    case.arrived()
    assert 0.9 < time.monotonic() - begun < 5


def test_a_silent_server_is_asked_again(case):
    case.server.fault = lambda _, number: Fault(silent=5) if number == 1 else None
    case.get(seconds=0.3)
    case.arrived()


def test_a_server_that_falls_silent_midway_is_gone_on_with(case):
    stuck = Fault(pause=5, block=60_000)
    case.server.fault = lambda _, number: stuck if number == 1 else None
    case.get(seconds=0.3)
    case.arrived()
    assert case.ranges()[1] == "bytes=60000-"


def test_a_slow_server_is_waited_for(server, tmp_path):
    case = Case(server, tmp_path, noise(20_000))
    server.fault = lambda *_: Fault(pause=0.05)
    case.get(seconds=0.3)
    case.arrived()
    assert len(server.asked) == 1


def test_content_of_another_sum_is_removed(case):
    case.file.sum = "0" * 64
    trouble = case.fails()
    assert trouble.kind == "damaged"
    assert not list(case.file.target.parent.iterdir())


@pytest.mark.parametrize(
    "kind", ["text/html", "Text/HTML; charset=utf-8", "application/octet-stream", None]
)
def test_a_page_is_no_file(case, kind):
    case.server.fault = lambda *_: Fault(page=True, headers={"Content-Type": kind})
    trouble = case.fails()
    assert trouble.kind == "page"
    assert "a login or an index" in str(trouble)
    assert not any(PAGE in path.read_bytes() for path in case.file.target.parent.iterdir())
    # Nor when something of it is here already.
    case.file.part.write_bytes(case.data[:100])
    case.fails()
    case.server.fault = lambda *_: None
    case.get()
    case.arrived()


def test_a_page_that_is_wanted_is_taken(server, tmp_path):
    case = Case(server, tmp_path, PAGE, "index.html", page=True)
    case.get()
    case.arrived()


@pytest.mark.parametrize("cut", [None, 60_000])
def test_a_file_without_a_length_is_known_by_its_sum(case, cut):
    case.server.fault = lambda *_: Fault(unsized=True, cut=cut)
    if cut is None:
        case.get()
        case.arrived()
    else:
        assert case.fails().kind == "damaged"


def test_who_stops_it_keeps_what_has_come(case):
    stop = threading.Event()
    case.server.fault = lambda *_: Fault(pause=0.02, block=20_000)
    trouble = case.fails(stop=stop, tell=lambda _, have, __: have > 50_000 and stop.set())
    assert trouble.kind == "stopped"
    begun = case.file.part.read_bytes()
    assert 50_000 < len(begun) < 200_000
    assert case.data.startswith(begun)


def test_a_hundred_random_cuts(server, tmp_path):
    """Five files, some hundred faults of all kinds: each file arrives, byte for byte."""
    chance, lock, cuts = random.Random(20_261), threading.Lock(), [0]
    cases = [Case(server, tmp_path / str(n), noise(400_000, n), f"f{n}.gz") for n in range(5)]

    def fault(*_):
        with lock:
            if chance.random() < 0.1:
                return None
            cuts[0] += 1
            return chance.choice(
                [
                    Fault(cut=chance.randrange(60_000)),
                    Fault(cut=chance.randrange(60_000), reset=True),
                    Fault(cut=chance.randrange(30_000), whole=chance.random() < 0.1),
                    Fault(drop=True),
                    Fault(status=chance.choice([429, 500, 502, 503, 504])),
                    Fault(cut=chance.randrange(2_000), shift=chance.randrange(3)),
                ]
            )

    server.fault = fault
    while cuts[0] < 100:
        for case in cases:
            case.file.target.unlink(missing_ok=True)
            case.get(patience=Patience(tries=60, pause=1e-9))
            case.arrived()
    assert cuts[0] >= 100
