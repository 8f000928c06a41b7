"""`clh fetch`: from a server that breaks off, from zips, from real folders."""

import http.server
import io
import threading
import zipfile

import pytest
from guideline_pages import official

from tests.cli.run import clh, complaint, text
from tests.conftest import shared

SMALL = (
    b'<?xml version="1.0"?><ICD10CM.tabular><version>2031</version><chapter><name>1</name>'
    b'<desc>Some diseases (A00-B99)</desc><section id="A00-A09"><desc>Infections (A00-A09)</desc>'
    b"<diag><name>A00</name><desc>Cholera</desc></diag></section></chapter></ICD10CM.tabular>"
)


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"Table and Index/{name}.xml", content)
    return out.getvalue()


@pytest.fixture
def server():
    """Serves `files`; answers ranges; breaks the first answer off after `cut` bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        files, asked, cut = {}, [], None

        def do_GET(self):
            self.asked.append((self.path, self.headers.get("Range")))
            content = next((c for end, c in self.files.items() if self.path.endswith(end)), None)
            if content is None:
                self.send_error(404)
                return
            begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            cut, type(self).cut = type(self).cut, None
            self.wfile.write(content[begin:cut])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        running.kind = Handler
        yield running
        running.shutdown()


def env(server, tmp_path):
    return {
        "CLH_ICD10CM_MIRROR": f"http://127.0.0.1:{server.server_port}",
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def test_a_download_goes_on_where_it_broke_off(server, tmp_path):
    content = zipped(tabular=SMALL)
    server.kind.files = {"icd10cm-table-index-2031.zip": content}
    server.kind.cut = 100
    line = complaint("fetch", "icd10cm", "--release", "2031", env=env(server, tmp_path))
    assert f"broken off at 100 of {len(content)} bytes" in line
    shown = text("fetch", "icd10cm", "--release", "2031", env=env(server, tmp_path))
    assert "tabular FY2031" in shown
    assert "FY2031: 1 billable codes, 0 headers" in shown
    assert any(asked == "bytes=100-" for _, asked in server.kind.asked)


def test_a_mirror_is_named_by_its_address(server, tmp_path):
    server.kind.files = {"icd10cm-table-index-2031.zip": zipped(tabular=SMALL)}
    home = {**env(server, tmp_path), "CLH_ICD10CM_MIRROR": ""}
    address = f"http://127.0.0.1:{server.server_port}"
    ask = ("fetch", "icd10cm", "--from", address)
    assert "tabular FY2031" in text(*ask, "--release", "2031", env=home)
    assert "--release YEAR" in complaint(*ask, env=home)


def test_what_the_server_does_not_have_is_said_with_the_page_to_look_at(server, tmp_path):
    line = complaint("fetch", "icd10cm", "--release", "2031", env=env(server, tmp_path))
    assert "404" in line
    assert "cms.gov/medicare/coding-billing/icd-10-codes" in line


def test_a_page_instead_of_a_zip_is_no_zip(server, tmp_path):
    server.kind.files = {".zip": b"<html>please log in</html>"}
    assert "not a zip" in complaint(
        "fetch", "icd10cm", "--release", "2031", env=env(server, tmp_path)
    )


PAPER = "fy-2031-icd-10-cm-coding-guidelines.pdf"


def test_the_guidelines_come_with_the_tables(server, tmp_path):
    home = env(server, tmp_path)
    server.kind.files = {"index-2031.zip": zipped(tabular=SMALL), PAPER: official()}
    shown = text("fetch", "icd10cm", "--release", "2031", env=home)
    assert "FY2031: 26 guideline sections, 2 chapters" in shown
    (kept,) = (tmp_path / "data").rglob("*.pdf")
    assert kept.read_bytes() == official()
    section = text("lookup", "i.c.4.a", env=home)
    assert section.splitlines() == [
        "§ I.C.4.a Diabetes mellitus",
        "  Codes of E08-E13, as many as are needed.",
    ]
    assert "guidelines   Official Guidelines FY2031, 26 sections" in text("doctor", env=home)


@pytest.mark.parametrize(("answer", "why"), [(None, "404"), (b"<html>log in</html>", "not a PDF")])
def test_without_the_guidelines_the_rest_is_fetched_all_the_same(server, tmp_path, answer, why):
    server.kind.files = {"index-2031.zip": zipped(tabular=SMALL)}
    if answer:
        server.kind.files[PAPER] = answer
    done = clh("fetch", "icd10cm", "--release", "2031", env=env(server, tmp_path))
    assert done.returncode == 0
    assert "tabular FY2031" in done.stdout.decode()
    (line,) = (each for each in done.stderr.decode().splitlines() if "guidelines" in each)
    assert PAPER in line
    assert why in line
    assert "`--from` takes their PDF" in line


def test_the_guidelines_at_hand_plain_or_in_a_zip(tmp_path):
    home = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "Coding Guidelines.pdf").write_bytes(official())
    (folder / "pcs-guidelines-2026.pdf").write_bytes(official())
    # The year is on the first page.
    shown = text("fetch", "icd10cm", "--from", folder, env=home)
    assert shown.startswith("guidelines FY2026 -> ")
    assert shown.count("->") == 1
    with zipfile.ZipFile(tmp_path / "papers.zip", "w") as archive:
        archive.writestr(f"papers/{PAPER}", official())
    assert "guidelines FY2031" in text(
        "fetch", "icd10cm", "--from", tmp_path / "papers.zip", env=home
    )


@pytest.mark.parametrize("content", [official()[:900], b"%PDF-1.4"])
def test_damaged_guidelines_are_refused_and_not_kept(tmp_path, content):
    home = {"XDG_DATA_HOME": str(tmp_path / "data")}
    (tmp_path / PAPER).write_bytes(content)
    line = complaint("fetch", "icd10cm", "--from", tmp_path / PAPER, env=home)
    assert f"{PAPER}: not a readable PDF" in line
    assert not list(tmp_path.glob("data/**/*.pdf"))
    # They do not keep the tables beside them from being installed.
    (tmp_path / "t.xml").write_bytes(SMALL)
    done = clh("fetch", "icd10cm", "--from", tmp_path, env=home)
    assert done.returncode == 0
    assert done.stdout.decode().startswith("tabular FY2031 -> ")
    assert f"{PAPER}: not a readable PDF" in done.stderr.decode()
    assert not list(tmp_path.glob("data/**/*.pdf"))


def test_a_zip_at_hand(tmp_path):
    (tmp_path / "t.zip").write_bytes(zipped(tabular=SMALL, notes=b"nothing official"))
    home = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert "1 billable" in text("fetch", "icd10cm", "--from", tmp_path / "t.zip", env=home)
    (tmp_path / "t.zip").write_bytes(zipped(tabular=SMALL)[:60])
    assert "t.zip" in complaint("fetch", "icd10cm", "--from", tmp_path / "t.zip", env=home)


def test_neither_release_nor_source_is_a_question():
    assert "--release YEAR" in complaint("fetch", "icd10cm")


def test_a_year_is_compared_with_its_order_file(tmp_path):
    home = {"XDG_DATA_HOME": str(tmp_path / "data")}
    folder = shared("icd10cm", "FY2021")
    shown = text("fetch", "icd10cm", "--from", folder, env=home)
    assert "72,621 billable codes, 22,737 headers" in shown
    assert "the very codes of the order file" in shown
    assert clh("lookup", "R51.9", "--release", "2021", env=home).returncode == 0
    assert "FY2031" in complaint("lookup", "I10", "--release", "2031", env=home)
