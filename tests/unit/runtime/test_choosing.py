"""Drawing a token: each knob by hand."""

import numpy as np
import pytest

from clhcode.runtime.choosing import drawn, generator
from clhcode.runtime.sampling import Sampling

LOGITS = np.log(np.array([0.1, 0.5, 0.3, 0.1], dtype=np.float32))


def drawn_often(sampling, logits=LOGITS, times=400):
    chance = generator(sampling, "a question")
    return [drawn(logits, sampling, chance) for _ in range(times)]


def test_no_temperature_takes_the_likeliest():
    assert set(drawn_often(Sampling(), times=5)) == {1}


@pytest.mark.parametrize(
    ("sampling", "possible"),
    [
        (Sampling(temperature=1.0), {0, 1, 2, 3}),
        (Sampling(temperature=1.0, top_k=2), {1, 2}),
        # 0.5 is not 0.6 yet, so the next one comes in; 0.8 is.
        (Sampling(temperature=1.0, top_p=0.6), {1, 2}),
        (Sampling(temperature=1.0, top_p=0.4), {1}),
        (Sampling(temperature=1.0, min_p=0.5), {1, 2}),
        (Sampling(temperature=1.0, min_p=0.9), {1}),
    ],
)
def test_each_knob_leaves_what_it_should(sampling, possible):
    assert set(drawn_often(sampling)) == possible


def test_shares_are_those_of_the_distribution():
    found = drawn_often(Sampling(temperature=1.0), times=4_000)
    assert found.count(1) / 4_000 == pytest.approx(0.5, abs=0.04)
    # At half the temperature probabilities are squared: 0.25 of 0.36.
    found = drawn_often(Sampling(temperature=0.5), times=4_000)
    assert found.count(1) / 4_000 == pytest.approx(0.25 / 0.36, abs=0.04)


def test_what_is_forbidden_is_never_drawn():
    logits = np.where([True, False, True, False], LOGITS, -np.inf).astype(np.float32)
    assert set(drawn_often(Sampling(temperature=5.0), logits)) == {0, 2}
    assert drawn(logits, Sampling(), generator(Sampling(), "")) == 2


def test_chance_belongs_to_seed_and_question():
    one = Sampling(temperature=1.0)
    assert drawn_often(one, times=20) == drawn_often(one, times=20)
    assert drawn_often(one, times=20) != drawn_often(Sampling(temperature=1.0, seed=2), times=20)
