"""The GEM to ICD-9-CM: a small one by hand in the official format, and the real one."""

import gzip
import zipfile

import pytest

from clhcode.errors import UserError
from clhcode.icd.gem import open_gem, read_gem
from tests.conftest import shared

SMALL = """\
A000     0010    00000
E10321   25051   10000
E10321   36201   10000
E1049    25061   10000
E1049    25061   10111
E1049    34989   10112
A1801    01500   10121
A1801    71148   10122
A1801    01500   10131
A1801    73088   10132
A1801    73089   10132
R402130  NoDx    11000
W010XXA  E8859   10000
Z96651   V4365   10000
"""
READINGS = {
    "A00.0": ((("001.0",),),),
    "E10.321": ((("250.51", "362.01"),),),
    "E10.49": ((("250.61",),), (("250.61",), ("349.89",))),
    "A18.01": ((("015.00",), ("711.48",)), (("015.00",), ("730.88", "730.89"))),
    "R40.2130": (),
    "W01.0XXA": ((("E885.9",),),),
    "Z96.651": ((("V43.65",),),),
}
FORWARD = "0010     A000    00000\nE8859    W010XXA 10000\n"


def as_csv(text):
    lines = ['"icd10cm","icd9cm","flags","approximate","no_map","combination","scenario"']
    for line in text.splitlines():
        one, other, flags = line.split()
        lines.append(",".join([f'"{one}"', f'"{other}"', f'"{flags}"', *flags]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("text", [SMALL, as_csv(SMALL), SMALL.replace("\n", "\r\n")])
def test_entries_by_hand(text):
    gem = read_gem(text.splitlines(), "small")
    assert gem.readings == READINGS
    assert gem.equivalent == {"A00.0"}
    assert gem.targets == {
        *("001.0", "250.51", "362.01", "250.61", "349.89", "015.00", "711.48", "730.88"),
        *("730.89", "E885.9", "V43.65"),
    }


def test_the_newest_backward_one_is_opened(tmp_path):
    (tmp_path / "2018_I9gem.txt").write_text(FORWARD)
    with pytest.raises(UserError, match="no GEM from ICD-10-CM to ICD-9-CM"):
        open_gem(tmp_path)
    (tmp_path / "2015_I10gem.txt").write_text("A000     0010    00000\n")
    with zipfile.ZipFile(tmp_path / "2018-general-equivalence-mappings.zip", "w") as archive:
        archive.writestr("2018 GEM/2018_I10gem.txt", SMALL)
        archive.writestr("2018 GEM/2018_I9gem.txt", FORWARD)
        archive.writestr("2018 GEM/Gem_guide.pdf", b"%PDF")
    found = open_gem(tmp_path)
    assert found.name.startswith("2018_I10gem.txt (")
    assert found.readings == READINGS
    packed = tmp_path / "icd10cmtoicd9gem.csv.gz"
    packed.write_bytes(gzip.compress(as_csv(SMALL).encode()))
    assert open_gem(packed).readings == READINGS
    (tmp_path / "gem.zip").write_bytes(b"PK no zip")
    with pytest.raises(UserError, match=r"gem\.zip: broken off or damaged"):
        open_gem(tmp_path)


def test_the_real_one():
    """Counts of the file by hand: cut, sort and uniq over its columns."""
    gem = open_gem(shared("terms", "gem"))
    assert len(gem.readings) == 69_832
    assert sum(not ways for ways in gem.readings.values()) == 669
    assert len(gem.equivalent) == 3_533
    assert gem.readings["E11.9"] == ((("250.00",),),)
    assert gem.readings["I10"] == ((("401.0", "401.1", "401.9"),),)
    assert gem.readings["I50.32"] == ((("428.32",),), (("428.32",), ("428.0",)))
    assert gem.readings["E08.00"] == ((("249.20",),),)
    assert {code[0] for code in gem.targets} == set("0123456789EV")
