"""Properties that the metrics must have on any input, searched by hypothesis."""
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from msa_lit.measure.metrics import METRICS, constant_row, evaluate, higher_is_better, scores
from msa_lit.measure.passport import passport
from msa_lit.measure.plausible import f1_bounds, f1_weightings, reachable_counts
from msa_lit.measure.statistics import (
    bootstrap,
    holm,
    mcnemar,
    paired_bootstrap,
    resample_counts,
    sign_flip_test,
)

SCHEMES = tuple(METRICS)
many = settings(max_examples=80, deadline=None, derandomize=True, database=None)
few = settings(many, max_examples=20)
# grid values hit zeros, ties and bin edges; the free ones everything else
value = st.one_of(st.integers(-80, 80).map(lambda i: i / 20), st.floats(-5, 5, width=32))


@st.composite
def pairs(draw, minimum=1, maximum=40):
    n = draw(st.integers(minimum, maximum))
    vector = st.lists(value, min_size=n, max_size=n)
    return np.array(draw(vector)), np.array(draw(vector))


def same(a, b, **tolerance):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], err_msg=name, **tolerance)


@many
@given(pairs(), st.sampled_from(SCHEMES))
def test_every_metric_lies_in_its_range(pair, scheme):
    found = evaluate(*pair, scheme)
    assert tuple(found) == METRICS[scheme]
    for name, v in found.items():
        if np.isnan(v):
            assert name == "corr" or name.endswith("non0")
        elif name == "mae":
            assert 0 <= v <= (2 if scheme == "sims" else 10)
        elif name == "corr":
            assert -1 <= v <= 1
        else:
            assert 0 <= v <= 100 + 1e-9


@many
@given(pairs(), st.sampled_from(SCHEMES), st.randoms())
def test_order_and_container_do_not_matter(pair, scheme, random):
    p, y = pair
    order = list(range(len(p)))
    random.shuffle(order)
    expected = evaluate(p, y, scheme)
    # loose for Corr alone: a nearly constant vector cancels differently in another order
    assume(min(np.ptp(p), np.ptp(y)) == 0 or min(p.std(), y.std()) > 1e-3)
    same(evaluate(p[order], y[order], scheme), expected, atol=1e-6)
    same(evaluate(p.tolist(), torch.tensor(y), scheme), expected, atol=0)


@many
@given(pairs(), st.sampled_from(SCHEMES))
def test_float32_in_and_out_keeps_every_class(pair, scheme):
    p, y = (v.astype(np.float32) for v in pair)
    a, b = evaluate(p, y, scheme), evaluate(*pair, scheme)
    for name in a:
        if name not in ("mae", "corr"):
            assert a[name] == b[name] or np.isnan(a[name])


@many
@given(pairs(), st.sampled_from(SCHEMES))
def test_a_perfect_file_is_perfect(pair, scheme):
    for name, v in evaluate(pair[1], pair[1], scheme).items():
        best = 0 if name == "mae" else 1 if name == "corr" else 100
        assert np.isnan(v) or v == pytest.approx(best)


@many
@given(pairs(), st.sampled_from(SCHEMES))
def test_coarser_classes_are_never_harder(pair, scheme):
    found = evaluate(*pair, scheme)
    if scheme == "sims":
        assert found["acc5"] <= found["acc3"] + 1e-9
    else:
        assert found["acc7"] <= found["acc5"] + 1e-9 <= found["acc3"] + 2e-9


@many
@given(pairs(minimum=2), st.sampled_from(SCHEMES), st.integers(0, 10**6))
def test_counting_twice_is_repeating(pair, scheme, seed):
    p, y = pair
    count = np.random.default_rng(seed).integers(0, 3, len(p))
    assume(count.sum())
    repeated = evaluate(np.repeat(p, count), np.repeat(y, count), scheme)
    counted = scores(p, y, scheme, count)
    for name in repeated:
        if name != "corr":
            np.testing.assert_allclose(counted[name], repeated[name], atol=1e-9, err_msg=name)


@many
@given(pairs())
def test_weighted_f1_lies_in_its_feasible_range(pair):
    p, y = pair
    found = evaluate(p, y)
    n_pos = int((np.float32(y) >= 0).sum())
    low, high = f1_bounds(found["acc2_has0"], n_pos, len(y) - n_pos)
    assert low - 1e-6 <= found["f1_has0"] <= high + 1e-6
    assert "true" in f1_weightings(round(found["acc2_has0"], 2), round(found["f1_has0"], 2), n_pos,
                                   len(y) - n_pos)


@many
@given(st.floats(0, 100), st.integers(0, 400), st.integers(1, 400))
def test_f1_range_is_ordered_and_below_the_linear_limit(acc, n_pos, n_neg):
    low, high = f1_bounds(acc, n_pos, n_neg)
    assert -1e-9 <= low <= high <= 100 - (100 - acc) * (
        0.5 + np.sqrt(n_pos * n_neg) / (n_pos + n_neg)) + 1e-9


@many
@given(st.integers(1, 5000), st.integers(1, 5), st.data())
def test_a_real_count_is_always_reachable(n, runs, data):
    hits = data.draw(st.integers(0, n * runs))
    printed = round(100 * hits / (n * runs), 2)
    assert runs in reachable_counts(printed, n)
    per_run = [data.draw(st.integers(0, n)) for _ in range(runs)]
    published = round(sum(round(k / n, 4) for k in per_run) / runs * 100, 2)
    assert runs in reachable_counts(published, n, rounded_runs=True)


@many
@given(st.lists(value, min_size=1, max_size=30), st.lists(value, min_size=1, max_size=30),
       st.sampled_from(SCHEMES))
def test_a_constant_has_the_closed_form(train, test, scheme):
    row = constant_row(train, test, scheme)
    assert np.isnan(row["corr"])
    for acc in (name for name in row if name.startswith("acc2")):
        share = row[acc] / 100
        if not np.isnan(share):
            assert row["f1" + acc[4:]] == pytest.approx(100 * 2 * share**2 / (1 + share))


@many
@given(pairs(), st.sampled_from(SCHEMES))
def test_passport_repeats_our_numbers_and_mirrors_f1(pair, scheme):
    page, ours = passport(*pair, scheme), evaluate(*pair, scheme)
    own = page.table[page.table.words == "ours"]
    same(dict(zip(own.ours, own.value, strict=True)),
         {name: ours[name] for name in own.ours}, atol=1e-9)
    for acc in (name for name in ours if name.startswith("acc2") and not np.isnan(ours[name])):
        f1 = page.table[page.table.ours == "f1" + acc[4:]].value.to_numpy()
        assert f1[0] + f1[1] == pytest.approx(2 * ours[acc])
    assert str(page) and page._repr_html_()


@few
@given(pairs(minimum=2, maximum=15), st.sampled_from(SCHEMES), st.integers(0, 100))
def test_paired_bootstrap_is_antisymmetric(pair, scheme, seed):
    p, y = pair
    q = p[::-1].copy()
    ab, ba = (paired_bootstrap(a, b, y, scheme, n_boot=40, seed=seed) for a, b in ((p, q), (q, p)))
    np.testing.assert_allclose(ab.difference, -ba.difference, atol=1e-9)
    np.testing.assert_allclose(ab.low, -ba.high, atol=1e-9)
    np.testing.assert_array_equal(ab.p, ba.p)
    for name in ab.index[ab.better != ""]:
        assert (ab.difference[name] > 0) == (higher_is_better(name) == (ab.better[name] == "a"))


@few
@given(pairs(minimum=2, maximum=10))
def test_paired_tests_do_not_care_who_is_called_a(pair):
    p, y = pair
    q = p[::-1].copy()
    assert sign_flip_test(p, q, y)["p"] == pytest.approx(sign_flip_test(q, p, y)["p"])
    a, b = mcnemar(p, q, y), mcnemar(q, p, y)
    assert (a["only_a"], a["only_b"], a["p"]) == (b["only_b"], b["only_a"], b["p"])


@many
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_monotone_and_between_raw_and_bonferroni(p):
    p, adjusted = np.array(p), holm(p)
    assert (adjusted >= p - 1e-12).all() and (adjusted <= np.minimum(1, len(p) * p) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= -1e-12).all()


@many
@given(st.integers(1, 30), st.integers(1, 20), st.integers(0, 99))
def test_every_draw_has_as_many_clips(n, n_boot, seed):
    count = resample_counts(n, n_boot, seed)
    assert count.shape == (n_boot, n) and (count.sum(1) == n).all()


def test_an_interval_by_video_is_wider_when_videos_differ():
    rng = np.random.default_rng(0)
    video = np.repeat(np.arange(20), 10)
    y = rng.normal(size=200)
    p = y + rng.normal(size=20)[video]
    by_clip, by_video = bootstrap(p, y), bootstrap(p, y, groups=video)
    assert by_video.loc["mae", "se"] > 1.5 * by_clip.loc["mae", "se"]


@pytest.mark.parametrize("pred, target, scheme, words", [
    ([1.0], [1.0], "imdb", "scheme"),
    ([[1.0], [2.0]], [1.0, 2.0], "mosi", "pred: shape"),
    ([1.0, 2.0], [[1.0, 2.0]], "mosi", "target: shape"),
    ([1.0, float("nan")], [1.0, 2.0], "sims", "pred: nan at item 1"),
    ([1.0, 2.0], [1.0, float("inf")], "sims", "target: inf at item 1"),
    ([], [], "mosi", "no items"),
    ([1.0], [1.0, 2.0], "mosei", "1 items but target has 2"),
    (None, [1.0], "mosi", "pred"),
    ("good", [1.0], "mosi", "not a vector of numbers"),
])
def test_bad_input_is_named(pred, target, scheme, words):
    for call in (evaluate, bootstrap, passport):
        with pytest.raises(ValueError, match=words):
            call(pred, target, scheme)
