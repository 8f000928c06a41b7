"""Evidence: the published definitions, worked out by hand."""

import pytest

from clhcode.bench.evidence import Evidence, cleaned, score, visited

#        0         1         2         3         4         5
#        0123456789012345678901234567890123456789012345678901234567890
TEXT = "Acute renal failure. History of CHF, CHF; MRN 12345678901."
NOTES = {"n": TEXT, "m": "No evidence. CHF noted."}


def e(begin, end, code="I50.9", note="n", encounter="x"):
    return Evidence(encounter, note, begin, end, code)


def scored(gold, predicted):
    return score(gold, predicted, NOTES)


def prf(figures):
    return tuple(figures.values())


def test_the_same_place_and_code_is_right_by_every_definition():
    found = scored([e(32, 35)], [e(32, 35)])
    assert all(prf(figures) == (1, 1, 1) for figures in found.values())
    assert set(found) == {
        *("span_exact", "span_overlap", "span_words", "token_exact", "token_words", "character"),
    }


def test_another_mention_of_the_words_counts_where_position_does_not():
    found = scored([e(32, 35)], [e(37, 40)])
    assert prf(found["span_words"]) == prf(found["token_words"]) == (1, 1, 1)
    assert prf(found["span_exact"]) == prf(found["span_overlap"]) == (0, 0, 0)


def test_a_longer_span_overlaps_and_shares_tokens():
    # "Acute renal failure" against "renal failure": 2 of 3 tokens, 13 of 19 characters.
    found = scored([e(6, 19, "N17.9")], [e(0, 19, "N17.9")])
    assert prf(found["span_exact"]) == (0, 0, 0)
    assert prf(found["span_overlap"]) == (1, 1, 1)
    assert prf(found["token_exact"]) == pytest.approx((2 / 3, 1, 0.8))
    assert prf(found["character"]) == pytest.approx((13 / 19, 1, 26 / 32))


def test_another_code_is_wrong_everywhere():
    found = scored([e(32, 35)], [e(32, 35, "I10")])
    assert {prf(figures) for figures in found.values()} == {(0, 0, 0)}


def test_one_prediction_over_two_mentions_is_one_hit_and_finds_both():
    found = scored([e(32, 35), e(37, 40), e(0, 5, "N17.9")], [e(31, 41)])
    # "CHF, CHF" of gold is merged to one span first.
    assert prf(found["span_overlap"]) == (1, 0.5, pytest.approx(2 / 3))


def test_neighbours_are_merged_and_ends_trimmed():
    assert cleaned([e(32, 36), e(36, 42)], NOTES) == [e(32, 41)]
    assert cleaned([e(32, 35), e(37, 40)], NOTES) == [e(32, 40)]
    assert cleaned([e(32, 35), e(37, 40, "I10")], NOTES) == [e(37, 40, "I10"), e(32, 35)]
    assert cleaned([e(19, 21)], NOTES) == []
    assert cleaned([e(0, 5), e(12, 19)], NOTES) == [e(0, 5), e(12, 19)]


def test_words_count_once_an_encounter_wherever_they_stand():
    gold = [e(32, 35), e(13, 16, note="m"), e(13, 16, note="m", encounter="y")]
    found = scored(gold, [e(32, 35)])
    assert prf(found["span_words"]) == (1, 0.5, pytest.approx(2 / 3))


def test_long_numbers_are_no_tokens():
    found = scored([e(42, 57)], [e(42, 45)])
    assert prf(found["token_exact"]) == (1, 1, 1)


def test_the_published_scorer_looks_at_notes_of_gold_alone():
    predicted = [e(32, 35), e(13, 16, note="m")]
    assert prf(scored([e(32, 35)], predicted)["span_exact"])[0] == 0.5
    assert visited(predicted, [e(32, 35)]) == [e(32, 35)]
