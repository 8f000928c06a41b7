"""Sets of files: many at once over a bad line, out of zips, and what a raw folder remembers."""

import hashlib
import io
import random
import threading
import zipfile

import pytest
from physionet_server import Fault, physionet

from clhcode.download.file import Patience
from clhcode.download.record import read_record
from clhcode.download.sets import Order, fetch_set, is_whole
from clhcode.download.side import side_by_side
from clhcode.download.sources import SOURCES
from clhcode.download.trouble import DownloadError
from clhcode.download.web import Web

HASTY = Patience(tries=60, pause=1e-9)


@pytest.fixture
def server():
    with physionet() as running:
        running.guarded = False
        yield running


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def order(name, folder, root, **more):
    return Order(SOURCES[name], SOURCES[name].release(None), folder, root, **more)


def test_many_files_at_once_over_a_bad_line(server, tmp_path):
    files = {f"data/{n}_{n}_{n}.json": noise(200 * n, n) for n in range(60)}
    files |= {"train.txt": b"1_1_1\n", "val.txt": b"2_2_2\n", "README.md": b"", "x.sql": b"x"}
    root = server.publish("meddec/1.0.0", files)
    chance, lock, faults = random.Random(7), threading.Lock(), [0]

    def fault(*_):
        with lock:
            if chance.random() < 0.3:
                return None
            faults[0] += 1
            return chance.choice(
                [
                    Fault(cut=chance.randrange(3_000), reset=chance.random() < 0.5),
                    Fault(drop=True),
                    Fault(status=503),
                    Fault(cut=chance.randrange(500), whole=True),
                ]
            )

    server.fault = fault
    outcome = fetch_set(order("meddec", tmp_path / "raw", root, patience=HASTY), Web(seconds=10))
    assert faults[0] > 100
    del files["x.sql"]
    assert set(outcome.paths) == set(files)
    assert outcome.size == sum(map(len, files.values()))
    for name, data in files.items():
        assert (tmp_path / "raw" / name).read_bytes() == data
    assert not list(tmp_path.rglob("*.part*"))


def test_the_first_that_fails_stops_the_others():
    stop, ran = threading.Event(), []

    def fail():
        raise DownloadError("broken", "first")

    def wait():
        stop.wait(30)
        raise DownloadError("stopped", "later")

    with pytest.raises(DownloadError, match="first"):
        side_by_side([wait, wait, fail, wait, lambda: ran.append(1)], stop)
    assert ran == []
    side_by_side([], threading.Event())


def test_all_jobs_are_done_a_few_at_a_time():
    lock, now, most, done = threading.Lock(), [0], [0], []

    def job():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.002)
        with lock:
            now[0] -= 1
            done.append(1)

    side_by_side([job] * 50, threading.Event(), width=3)
    assert (len(done), most[0]) == (50, 3)


def zipped(files, path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_zip_with_sums_is_checked_by_them(tmp_path):
    names = SOURCES["snomed-entity"].files
    sums = "".join(f"{hashlib.sha256(n.encode()).hexdigest()} {n}\n" for n in names).encode()
    top = "snomed-1.0.0/"
    files = {f"{top}SHA256SUMS.txt": sums, **{top + n: n.encode() for n in names}}
    good = zipped(files, tmp_path / "good.zip")
    assert len(fetch_set(order("snomed-entity", tmp_path / "raw", good), None).paths) == 2
    files[top + names[1]] = b"changed"
    bad = zipped(files, tmp_path / "bad.zip")
    with pytest.raises(DownloadError, match="not the published one"):
        fetch_set(order("snomed-entity", tmp_path / "raw", bad), None)
    assert (tmp_path / "raw" / names[1]).read_bytes() == names[1].encode()


def test_a_damaged_member_of_a_zip_is_told(tmp_path):
    names = SOURCES["snomed-entity"].files
    path = zipped({n: n.encode() * 9 for n in names}, tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[data.index(names[0].encode() * 2)] ^= 1
    path.write_bytes(data)
    with pytest.raises(DownloadError, match="not a zip, or damaged"):
        fetch_set(order("snomed-entity", tmp_path / "raw", path), None)
    assert not (tmp_path / "raw").exists()


def test_what_is_remembered(server, tmp_path):
    names = SOURCES["snomed-entity"].files
    root = server.publish("s/1.0.0", {name: name.encode() for name in names})
    made = order("snomed-entity", tmp_path / "raw", root)
    assert not is_whole(made)
    fetch_set(made, Web())
    assert is_whole(made)
    record = read_record(tmp_path / "raw")
    assert (record.release, record.source, record.all) == ("1.0.0", root, False)
    assert record.files[names[0]].sum == hashlib.sha256(names[0].encode()).hexdigest()
    # A damaged record costs a look at the files, and nothing more.
    (tmp_path / "raw/.fetched.json").write_bytes(b"{")
    assert not is_whole(made)
    server.asked.clear()
    assert fetch_set(made, Web()).fresh == 0
    assert [a.path.rpartition("/")[2] for a in server.asked] == ["SHA256SUMS.txt"]


def test_a_zip_of_everything(server, tmp_path):
    files = {"d/train.csv": b"encounter_id,note\n", "d/other.csv": b"x"}
    files |= {f"d/{n}": b"encounter_id\n" for n in SOURCES["aci-bench"].files[1:]}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    server.files["/a.zip"] = out.getvalue()
    address = f"{server.url}/a.zip"
    few = fetch_set(order("aci-bench", tmp_path / "raw", address), Web())
    assert len(few.paths) == 4
    # Fewer files were asked for then.
    every = order("aci-bench", tmp_path / "raw", address, everything=True)
    assert len(fetch_set(every, Web()).paths) == 5
    assert is_whole(order("aci-bench", tmp_path / "raw", address))
