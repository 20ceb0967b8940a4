"The audit of result tables: expected values by hand, or from a computation of its own."
import io
from contextlib import redirect_stdout

import numpy as np
import pandas as pd
import pytest

from msa_lit.cli import program as cli
from msa_lit.audit.rules import ALL_GRADES, audit, constant_answers, test_split, visible_gap
from msa_lit.audit.honest import honest_table, rates
from msa_lit.audit.table import read_cell, read_table
from msa_lit.base.notices import collect
from msa_lit.measure.plausible import print_range


def table(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def flags(tmp_path, text, scheme="mosi", **how):
    found = audit(table(tmp_path, text), scheme, **how).flags
    return {(f.row, f.flag, f.grade) for f in found.itertuples() if f.flag != "lead"}


@pytest.mark.parametrize(("text", "value", "decimals", "spread"), [
    ("83.60", 83.6, 2, None), ("83.6 ± 0.3", 83.6, 1, 0.3), ("83.6+-0.3", 83.6, 1, 0.3),
    ("83.6 (0.3)", 83.6, 1, 0.3),
    ("83.6 (-0.4)", 83.6, 1, None), ("$84.1_{\\pm 0.25}$", 84.1, 1, 0.25),
    ("\\underline{84.1}", 84.1, 1, None),
    ("84.1\u2020", 84.1, 1, None), ("84.1\u00b2", 84.1, 1, None), ("84.1 %", 84.1, 1, None),
    ("0,716", 0.716, 3, None),
    ("\u22120.2", -0.2, 1, None), ("84", 84.0, 0, None)])
def test_a_cell_is_read(text, value, decimals, spread):
    cell = read_cell(text)
    assert (cell.value, cell.decimals, cell.spread) == (value, decimals, spread)


@pytest.mark.parametrize("text", ["", " ", "-", "\u2013", "n/a", "NaN", "None"])
def test_an_empty_cell_is_nothing(text):
    assert read_cell(text) is None


@pytest.mark.parametrize("text", ["good", "83.4/85.1", "83 85", "inf", "1.2.3", "83.6k", "=SUM(A1)",
                                  "83.6 ± x", "<b>", "--5", "\u2020"])
def test_a_text_is_refused_in_words_or_read_as_nothing(text):
    try:
        assert read_cell(text) is None
    except ValueError as e:
        assert len(str(e)) > 20


@pytest.mark.parametrize(("text", "words"), [
    ("", "0 lines"), ("model,mae\n", "at least one row"),
    ("model,mae\nA,0.7,1\n", "line 2: 3 fields"),
    ("model,mae\nA,0.7\nB\n", "line 3: 1 fields"), ("a,b\n1,2\n", "no column is a metric"),
    ("model,mae,MAE\nA,1,1\n", "same metric"),
    ("model,acc2\nA,80\n", "acc2_has0"), ("model,F1\nA,80\n", "f1_non0"),
    ("model,acc7\nA,0.4\nB,45\n", "'A' at most 1"),
    ("model,acc7\nA,good\n", "row 'A'"), (b"PK\x03\x04zip", "no text file"),
    (b"model,mae\nA,0.7\xff\n", "not UTF-8"),
    ('model,mae\n"A,0.7\n', "quotation mark")])
def test_a_bad_table_is_refused_in_words(tmp_path, text, words):
    with pytest.raises(ValueError, match="(?s).*" + words.replace("(", r"\(")):
        audit(table(tmp_path, text), "mosi")


def test_a_folder_and_a_missing_file_are_os_errors(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(OSError):
            audit(path, "mosi")


@pytest.mark.parametrize(("how", "words"), [
    ({"runs": 0}, "runs: 0"), ({"digits": -1}, "digits: -1"), ({"clips": 0}, "clips: 0"),
    ({"classes": (1, 2)}, "three counts"),
    ({"classes": (1.5, 2, 3)}, "three counts"), ({"labels": [5.0]}, "beyond"),
    ({"labels": np.zeros((4, 7))}, "7 columns"),
    ({"labels": []}, "no items")])
def test_bad_options_are_refused_in_words(tmp_path, how, words):
    with pytest.raises(ValueError, match=words):
        audit(table(tmp_path, "model,mae\nA,0.7\n"), "mosi", **how)


def test_delimiters_and_fractions_make_no_difference(tmp_path):
    plain = "model,acc2_non0,f1_non0,mae\nA,81.45,83.36,0.7\n"
    wanted = {("A", "f1-impossible", "impossible")}  # 81.45 itself is 1603 hits of three runs
    assert flags(tmp_path, plain) == wanted
    for other in (plain.replace(",", ";"), plain.replace(",", "\t"), "\ufeff" + plain,
                  plain.replace("\n", "\r\n"),
                  "Method,Acc2-non0 (%),F1 non0,MAE\nA,.8145,.8336,.700\n"):
        assert flags(tmp_path, other) == wanted
    with collect() as said:
        read_table(table(tmp_path, "model,acc7,acc5\nA,0.45,0.5\n"), "mosi")
    assert len(said) == 2


# MOSI: 686 clips, 656 without the zeros; by hand: 328 of 686 is 47.813, 329 is 47.959; 1641 of 3430
# is 47.843
@pytest.mark.parametrize(("acc7", "runs", "flag"), [
    ("47.81", 1, None), ("47.82", 1, "no-count"), ("47.95", 1, "truncated"), ("47.96", 1, None),
    ("47.84", 5, None),
    ("47.84", 1, "no-count"), ("47.855", 5, "no-count"), ("47.8", 1, None),
    ("47.9", 1, "truncated")])
def test_counts_of_a_stated_number_of_runs(tmp_path, acc7, runs, flag):
    found = flags(tmp_path, f"model,acc7\nA,{acc7}\n", runs=runs)
    assert {f for _, f, _ in found} == ({flag} if flag else set())


def test_an_unknown_number_of_runs_makes_no_count_impossible(tmp_path):
    found = flags(tmp_path,
                  "model,acc7\n" + "".join(f"m{k},{40 + k / 100:.2f}\n" for k in range(300)))
    assert found and {g for *_, g in found} == {"another rule or set-up"}


def test_out_of_range_averages_order_and_copies(tmp_path):
    assert flags(tmp_path, "model,acc7,mae,corr\nA,412,-.7,1.3\n") == {
        ("A", "out-of-range", "impossible")}
    parts = "ours seed 1,45.10\nours seed 2,47.30\nours mean,{}\n"
    assert ("ours mean", "average", "one of these is wrong") in flags(
        tmp_path, "model,acc3\n" + parts.format("47.20"))
    assert not [f for f in flags(tmp_path, "model,acc3\n" + parts.format("46.20"))
                if f[1] == "average"]
    assert ("A", "order", "another rule or set-up") in flags(
        tmp_path, "model,acc7,acc5\nA,48.1,47.2\n")
    rows = "A,83.2,84.0,83.1,84.1,0.712\nB,83.2,84.0,83.1,84.1,{}\n"
    head = "model,acc2_has0,acc2_non0,f1_has0,f1_non0,mae\n"
    assert ("B", "copied", "one of these is wrong") in flags(tmp_path, head + rows.format("0.712"))
    assert ("B", "alike", "outlier") in flags(tmp_path, head + rows.format("0.700"))


def test_a_constant_answer_is_known_on_any_split(tmp_path):
    found = flags(tmp_path, "model,acc2,f1\nA,69.37,56.82\nB,67.83,54.83\nC,80.00,79.00\n", "sims")
    assert {r for r, f, _ in found if f == "constant"} == {"A", "B"}  # 317 of 457; 310 of 457
    own = flags(tmp_path, "model,acc2_has0,f1_has0\nA,60.00,45.00\n", classes=(40, 0, 60))
    assert {f for _, f, _ in own} == {"constant"}                               # 2 * .36 / 1.6
    public = audit(pd.DataFrame({"model": ["x"], "acc7": [.9787], "acc2_has0": [.9544],
                                 "f1_has0": [.9767], "corr": [0.0]}), "mosei", clips=658)
    assert set(public.flags.flag) == {"constant"}


def test_constants_score_what_counting_says():
    sims = constant_answers(test_split("sims")).set_index("answer")
    assert sims.acc2.max() == pytest.approx(100 * 317 / 457)
    assert sims.acc3.max() == pytest.approx(100 * 248 / 457)
    mosei = constant_answers(test_split("mosei")).set_index("answer")
    assert mosei.acc2_has0["always positive"] == pytest.approx(100 * 3309 / 4659)
    assert visible_gap("acc2_has0", test_split("mosi")) == pytest.approx(3.38, abs=0.01)


def test_the_order_of_rows_and_columns_does_not_matter(tmp_path):
    text = pd.read_csv(io.StringIO(
        "model,acc2_non0,f1_non0,mae\nA,81.45,83.36,0.7\nB,84.77,84.91,0.72\nC,83.0,83.0,0.8\n"),
                       dtype=str)
    one = audit(text, "mosi").flags
    two = audit(text.iloc[::-1, [0, 3, 2, 1]].reset_index(drop=True), "mosi").flags
    assert set(one.itertuples(index=False, name=None)) == set(
        two.itertuples(index=False, name=None))


def test_honest_tables_raise_no_strong_alarm():
    few = rates(12, seed=3)
    assert few[list(ALL_GRADES[:2])].sum().sum() == 0


def test_a_broken_digit_in_an_honest_table_is_found():
    honest = honest_table("mosi", np.random.default_rng(5))
    spoilt = honest.copy()
    spoilt.loc[2, "f1_non0"] = f"{float(spoilt.loc[2, 'acc2_non0']) + 2:.2f}"
    assert audit(honest, "mosi", runs=5).ok and not audit(spoilt, "mosi", runs=5).ok


def test_the_command(tmp_path, capsys):
    path = table(tmp_path, "model,acc2_non0,f1_non0\n<b>A&amp;</b>,81.45,83.36\n")
    assert cli.main(["audit", str(path), "--scheme", "mosi", "--out",
                     str(tmp_path / "flags.csv")]) == 1
    assert "277 against 379 clips" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "flags.csv").grade[0] == "impossible"
    assert cli.main(["audit", str(tmp_path / "no.csv"), "--scheme", "mosi"]) == 2
    assert "no.csv" in capsys.readouterr().err
    with redirect_stdout(io.StringIO()) as out:
        assert cli.main(["audit", str(path), "--scheme", "mosi", "--classes", "300,0,300",
                         "--runs", "1"]) == 1
    assert "300 above zero" in out.getvalue()
    assert "<b>" not in audit(path, "mosi")._repr_html_()


@pytest.mark.parametrize(("value", "inside"),
                         [(51.89, True), (51.90, True), (51.91, False), (51.88, False)])
def test_a_print_may_be_rounded_or_cut_off(value, inside):
    low, high = print_range(value, 2, averaged=False)          # 356 of 686 is 51.8950...
    assert (low <= 100 * 356 / 686 <= high) == inside
