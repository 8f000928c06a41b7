"""What a note claims: one readable line a case, `[...]` marks the condition."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.records import ASSERTIONS
from clhcode.text.assertion import assert_at, assertions, scopes
from clhcode.text.sections import sections

CASES = """
present | She has [hypertension].
present | [Pneumonia] of the left lower lobe.
present | Patient presents with [chest pain] and dyspnea.
present | There is evidence of [heart failure].

negated | No [fever].
negated | She denies fever, chills, or [cough].
negated | The patient denies [chest pain], shortness of breath, or swelling in her legs.
negated | Denies any [headache].
negated | denies fever, chills, or [cough] but has nausea
present | denies fever, chills, or cough but has [nausea]
negated | no [chest pain] but has fever
present | no chest pain but has [fever]
present | no chest pain, but [fever] since Monday
negated | No history of [stroke].
negated | She denies a history of [rheumatoid arthritis].
negated | No fever or [rash].
negated | No [fever] or rash.
negated | Lungs clear without wheezes, rales, or [rhonchi].
negated | Negative for [weight loss], headaches, bone pain.
present | Positive for back pain, [joint pain], high cholesterol.
negated | CT was negative for [pulmonary embolism].
negated | There is no evidence of any [fractures].
negated | The x-ray did not reveal any signs of a [fracture].
negated | He does not have [diabetes].
negated | She doesn't have [asthma].
negated | Patient is not [diabetic].
negated | Free of [pain] today.
negated | Absence of [edema].
negated | [Pulmonary embolism] was ruled out.
negated | [Orchiepididymitis] and testicular torsion were ruled out by ultrasound.
negated | Cardiac [amyloidosis] was ruled out by echocardiography.
negated | MRI ruled out [spinal cord compression].
negated | MI was subsequently ruled out; [fracture] not seen.
negated | [Myocardial infarction] was subsequently ruled out.
negated | [Adenopathy] is not present in the neck.
negated | [Edema] is absent.
negated | No [tumor recurrence] was observed.
negated | A [fracture] was not seen.
negated | [Pneumonia] is unlikely.
negated | Unlikely [malignancy].
negated | [Transfusion]: no
negated | Fever: yes, [chills]: no, cough: yes
present | Fever: yes, chills: no, [cough]: yes
negated | [Fever]: none
negated | [HIV] negative.
negated | Neither [fever] nor chills.
negated | Neither fever nor [chills].
negated | No murmurs, gallops, or [rubs].
negated | Right lower lobe pneumonia (no [effusion]) on film.
present | Swelling (no fever) with [erythema] of the leg.
negated | She never had [seizures].
negated | Constitutional: Denies [fevers].
negated | The patient had no [bile duct dilatation], although papillotomy was performed.
negated | Serology was negative, without [hepatitis].
negated | This is a sprain rather than a [fracture].
negated | I do not think this is [pneumonia].
negated | No family history of [colon cancer].

present | No change in [congestive heart failure].
present | No increase in [edema].
present | Not only [diabetes], also gout.
present | He walks without difficulty despite [osteoarthritis].
present | Gram negative [sepsis].
present | No relevant past history, was studied due to a painful [inguinal mass].
present | Patient without allergies presented with [jaundice].
present | No fever was noted and he has [cellulitis].
present | He is not able to walk due to [hip fracture].
present | She has not been taking medication for [hypertension].
present | No treatment for [osteoporosis].
present | There was no fever, she reports [nausea].
present | No acute distress, positive for [edema].
present | No thyromegaly, but there is some cervical [lymphadenopathy].
present | No complaints except for [headache].
present | No pain aside from [migraine].
present | He has diabetes, with PE ruled out, no fever; [gout] stable
present | [Diabetes] without complications, no fever.
present | She has [diabetes], and PE was ruled out.
present | The lesion was biopsied without incident; [melanoma].
negated | She was referred with suspected [sleep apnea], which was ruled out by polysomnography.
present | Seen without improvement and with [lesions] on the trunk.
present | Diabetes with complications such as [polyneuropathy].

possible | Possible [pneumonia].
possible | Probable [cirrhosis] of alcoholic origin.
possible | Findings consistent with [COPD].
possible | Compatible with [hematoma].
possible | Suspected [endometriosis].
possible | Right knee pain, possible [medial collateral ligament strain].
possible | Rule out [myocardial infarction].
possible | r/o [PE]
possible | ?[cellulitis] of left leg
possible | Cannot rule out [fracture].
possible | [Malignancy] cannot be excluded.
possible | [Malignancy] was not ruled out.
possible | Not certain whether [fracture] is old.
possible | [Pneumonia] versus atelectasis.
possible | Pneumonia vs. [atelectasis].
possible | Concern for [sepsis].
possible | Suspicious for [malignancy].
possible | Her tests suggest asthma or [COPD].
possible | [Tuberculosis] is suspected.
possible | [Appendicitis] is likely.
possible | Edema likely due to [Norvasc toxicity].
possible | This may represent [metastasis].
possible | MRI ordered to rule out [infarct].
possible | Differential includes gout, [septic arthritis], or pseudogout.
present | Possible pneumonia, [diabetes].

historical | History of [myocardial infarction].
historical | h/o [DVT]
historical | hx of [stroke], now with back pain
present | hx of stroke, now with [back pain]
historical | Previous [hip fracture].
historical | Status post [renal transplant].
historical | s/p [appendectomy], diabetes
present | s/p appendectomy, [diabetes]
historical | Her [pneumonia] has resolved.
historical | [Pneumonia], resolved.
historical | Resolved [pneumonia].
historical | He had [rheumatic fever] in childhood.
historical | She had a [stroke] 5 years ago.
historical | No longer has [angina].
historical | He had [kidney stones] in the past.
historical | History of asthma, [pancreatitis] and eczema.
present | History of present illness is notable for [cough].
present | Longstanding history of [hypertension].
present | 2-month history of [dry cough].
present | Known history of [atrial fibrillation].
present | Past medical history significant for congestive heart failure, [depression].
present | [Dyspnea] for the past two weeks.
present | Prior to admission, [fever] was noted.
present | She was diagnosed with [diabetes] 10 years ago.
present | The [pain] began 2 years ago.
present | A man with a history of stroke who presents with [syncope].
present | Her [rash] has not resolved.
present | A 74-year-old man with a history of [ischemic heart disease] and stroke.
present | She has a history of depression, smoking and [chronic back pain].
present | h/o [DM2]
historical | History of [gestational diabetes].
historical | No longer has [diabetes].
negated | No history of [diabetes].
present | He has a history of stroke, mild chronic renal [failure].
historical | He used to have [migraine].
present | Bone wax was used to control [bleeding].

family | Mother had [breast cancer].
family | Family history of [diabetes].
family | [Colon cancer] in his father.
family | [Heart disease] runs in the family.
family | His maternal aunt has [lupus].
present | She lives with her mother and has [asthma].
present | Mother reports he has [fever].
present | Her daughter states that the patient has [confusion].
present | Accompanied by her husband for [knee pain].
present | Mother has diabetes, and she has [asthma].

hypothetical | Return if [fever] develops.
hypothetical | If [chest pain] recurs, call us.
hypothetical | Should he develop [shortness of breath], go to the ED.
hypothetical | At risk for [falls].
hypothetical | High risk of [recurrence].
hypothetical | Monitor for [bleeding].
hypothetical | Watch for signs of [infection].
hypothetical | Aspirin to prevent [stroke].
hypothetical | [DVT] prophylaxis with heparin.
hypothetical | [Seizure] precautions.
hypothetical | Screening for [colon cancer].
hypothetical | Call your doctor for [fever] or chills.
hypothetical | In case of [anaphylaxis] use the pen.
hypothetical | The risks include but are not limited to pain, [infection], and nonunion.
present | If the pain persists, we will treat her [arthritis].
hypothetical | Lorazepam as needed for [agitation].
hypothetical | Return precautions were given for [syncope].
hypothetical | This might progress to [heart failure].
hypothetical | Told to report [hematemesis].
hypothetical | He fears that he might get [dementia].

negated | Nil [edema].
present | Nil by mouth for [ileus].
negated | Urine culture negative for [candida].
negated | The scan has ruled out [stroke].
negated | [Stroke] has been ruled out.
present | No redness around the [ulcer].
present | Without insight into her [anorexia].
possible | [Stroke] cannot be completely excluded.
possible | [Stroke] could not be safely ruled out.
possible | [Abscess] is a real possibility.
possible | There is a possibility of [abscess].
possible | MRI inconclusive for [osteomyelitis].
possible | Provisional diagnosis: [tuberculosis].
historical | [DVT] of leg 2018, treated, off anticoagulation.
present | [Hypertension] 2018, treated.
present | [Hypertension] since 2018, treated.
present | [Diabetes], diagnosed 2018, treated with metformin.
historical | [Stroke] in 2011.
present | [Diabetes] in 2011.
present | [Stroke] diagnosed in 2011.
present | [Stroke] in 3 of them.
historical | In 2009 she suffered a [stroke].
historical | Treated three years ago for [syphilis].
historical | The [rash] he had has since disappeared.
present | The [rash] has not disappeared.
present | The [rash] has never gone away.
historical | Childhood [meningitis].
present | Childhood [asthma].
family | Her children have [scabies].
"""


def _cases() -> list[tuple[str, str, tuple[int, int]]]:
    cases = []
    for line in filter(None, CASES.splitlines()):
        label, marked = line.split(" | ")
        match = list(re.finditer(r"\[(.+?)\]", marked))[-1]
        lead = marked[: match.start()].replace("[", "").replace("]", "")
        tail = marked[match.end() :]
        text = lead + match[1] + tail
        cases.append((label, text, (len(lead), len(lead) + len(match[1]))))
    return cases


@pytest.mark.parametrize(("label", "text", "span"), _cases())
def test_a_sentence_claims(label: str, text: str, span: tuple[int, int]) -> None:
    assert assert_at(text, *span) == label, f"{text[slice(*span)]}: {scopes(text)}"


def test_sections_and_sentences_bear_on_each_span() -> None:
    text = (
        "HPI:\nMr. Doe, 7.9 mmol/L, has gout. No fever.\n\nPast Surgical History\n"
        "Appendectomy\n\nFAMILY HISTORY\nMother: stroke\n\nROS\nNegative for weight loss,\n"
        "headaches.\nPositive for back pain, cough.\n"
    )
    expected = {
        "gout": "present",
        "fever": "negated",
        "Appendectomy": "historical",
        "stroke": "family",
        "weight loss": "negated",
        "headaches": "negated",
        "back pain": "present",
        "cough": "present",
    }
    spans = [(text.index(word), text.index(word) + len(word)) for word in expected]
    found = sections(text)
    assert dict(zip(expected, assertions(text, spans, found), strict=True)) == expected
    assert assertions(text, spans[::-1], found) == assertions(text, spans, found)[::-1]


def test_a_past_history_section_alone_makes_nothing_past() -> None:
    assert assert_at("Hypertension", 0, 12, "past_history") == "present"
    assert assert_at("Hysterectomy", 0, 12, "surgical_history") == "historical"


def test_a_family_history_section_is_about_the_family_whatever_it_says() -> None:
    assert assert_at("No colon cancer.", 3, 15, "family_history") == "family"


def test_words_inside_a_condition_say_nothing_of_it() -> None:
    text = "Type 2 diabetes without complications"
    assert assert_at(text, 0, len(text)) == "present"
    assert assert_at("Possible pneumonia", 0, 18) == "possible"


@given(st.text(max_size=80), st.integers(0, 80), st.integers(0, 80))
def test_any_text_gets_a_label(text: str, one: int, other: int) -> None:
    begin, end = sorted((min(one, len(text)), min(other, len(text))))
    assert assertions(text, [(begin, end)], sections(text))[0] in ASSERTIONS


@given(st.lists(st.sampled_from("no not denies fever , and or has ( ) ? history of but".split())))
def test_scopes_lie_in_their_sentence(words: list[str]) -> None:
    text = " ".join(words)
    assert all(0 <= scope.begin < scope.end <= len(text) for scope in scopes(text))
