"What the errata put between quotation marks stands in the papers, to the letter."
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {"UGF": "000_8f5397c0d1270f91.txt", "MUG": "001_8f6eb08c05764bf0.txt",
         "MFON": "002_15a7696e9df505a3.txt", "SPIL": "003_2149cc8a351012a6.txt"}
SAME = str.maketrans("’‘“”", "''\"\"")
ENTRY = re.compile(r"\*\*((?:UGF|MUG|MFON|SPIL|ALL)-E\d+)\.(.*?)(?=\n\n|\Z)", re.S)


def plain(text):
    "One space between words, straight quotation marks."
    return re.sub(r"\s+", " ", text.translate(SAME))


def quotations():
    "Id of an erratum and each span in double quotation marks in its paragraph, outside of code."
    nb = json.loads((ROOT / "nbs" / "75_errata.ipynb").read_text(encoding="utf8"))
    pages = ["".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "markdown"]
    for id, body in ENTRY.findall("\n\n".join(pages)):
        for quoted in re.findall(r'"([^"]+)"', re.sub(r"`[^`]*`", "", body)):
            yield id, plain(quoted)


QUOTED = list(quotations())


def test_there_are_quotations_of_every_paper():
    assert {id.partition("-")[0] for id, _ in QUOTED} >= set(FILES)
    assert len(QUOTED) > 25


@pytest.mark.parametrize("id, quoted", QUOTED,
                         ids=[f"{id}-{n}" for n, (id, _) in enumerate(QUOTED)])
def test_a_quotation_is_in_its_paper(papers, id, quoted):
    text = plain((papers / FILES[id.partition("-")[0]]).read_text(encoding="utf8"))
    assert quoted in text


def test_a_changed_letter_would_be_noticed(papers):
    id, quoted = QUOTED[0]
    text = plain((papers / FILES[id.partition("-")[0]]).read_text(encoding="utf8"))
    assert quoted[:-1] + "#" not in text
