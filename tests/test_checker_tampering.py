"""Any number altered anywhere in a certificate is noticed: by its digest, by the algebra, or by the registry."""

import argparse
import copy
import json
import re
from random import Random

import pytest

from linreg_dyn import claims
from linreg_dyn.certify import checker
from linreg_dyn.claims import falsify, verdict
from linreg_dyn.commands import check
from tests.certificates import refusal, signed
from tests.test_claim_witnesses import BREAKS
from tests.test_claim_witnesses import numbers as exactly

LEMMA = "ginsburg.simplex-product"
PROVED = (LEMMA, "ginsburg.thm-3.1", "ginsburg.thm-3.2-factor", "ginsburg.thm-5.1", "ginsburg.thm-4.1-note.amended")
IDENTITY = "ginsburg.flow-loss"
REFUTED = "ginsburg.noise-optimization"
IDS = (*PROVED, IDENTITY, REFUTED)
TAMPERINGS = 60  # of each certificate
NUMBER = re.compile(r"\d+")


@pytest.fixture(scope="module")
def certificates():
    """The certificates of `IDS`, without the search for mutants, which does not matter here."""
    registry = claims.registry()
    lemmas = verdict.lemmas_of(registry[IDENTITY], registry, {})
    out = {LEMMA: lemmas[LEMMA]}
    for name in IDS:
        claim = registry[name]
        if name == REFUTED:
            given, broken, *_ = falsify.search(claim.parts[0], claim.search_depths, tries=claim.tries, seed=0)
            assert given is not None
            witness = {"part": 0, "given": verdict.as_text(given), "breaks": broken}
            out[name] = verdict.certificate(claim, "refuted", [p.formal() for p in claim.parts], witness=witness)
        elif name != LEMMA:
            parts = [verdict.find.certify_part(p.formal(), p.tactics or (), lemmas) for p in claim.parts]
            out[name] = verdict.certificate(claim, "proved", parts)
    out = json.loads(json.dumps(out))  # as they are read back
    for name in IDS:
        assert refusal(out[name], {LEMMA: out[LEMMA]}) is None, name
    return out


# ---------------------------------------------------------------- every number there is
def numbers(node, path=()):
    """(path, position) of every number: a JSON number, or digits within a string or a key."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from ((path, ("key", key, m.span())) for m in NUMBER.finditer(key))
            yield from numbers(value, (*path, key))
    elif isinstance(node, list):
        for k, value in enumerate(node):
            yield from numbers(value, (*path, k))
    elif isinstance(node, str):
        yield from ((path, ("text", m.span())) for m in NUMBER.finditer(node))
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path, ("number",)


def altered(rng, digits):
    """Another number than the digits say."""
    old = int(digits)
    return rng.choice(
        [n for n in (old + 1, old - 1, 2 * old, old + 10, 0, 1, rng.randrange(100)) if n not in (old, -1)]
    )


def tampered(certificate, path, position, rng):
    """A copy with that one number changed (the digest is left as it was)."""
    out = copy.deepcopy(certificate)
    *way, last = path if position[0] != "key" else (*path, None)
    holder = out
    for step in way:
        holder = holder[step]
    if position[0] == "number":
        holder[last] = altered(rng, holder[last])
    elif position[0] == "text":
        (a, b) = position[1]
        text = holder[last]
        holder[last] = f"{text[:a]}{altered(rng, text[a:b])}{text[b:]}"
    else:
        _, key, (a, b) = position
        holder[f"{key[:a]}{altered(rng, key[a:b])}{key[b:]}"] = holder.pop(key)
    return out


def sample(certificate, name):
    """Seeded tamperings of a certificate, `(path, copy)`, none twice."""
    rng = Random(name)
    places = list(numbers(certificate))
    found = {}
    for _ in range(50 * TAMPERINGS):
        path, position = rng.choice(places)
        copy_ = tampered(certificate, path, position, rng)
        text = json.dumps(copy_)
        if copy_ != certificate and text not in found:
            found[text] = path, copy_
        if len(found) == TAMPERINGS:
            break
    assert len(found) == TAMPERINGS, f"{name} has only {len(places)} numbers"
    return list(found.values())


def test_the_numbers_of_a_certificate_are_all_found():
    places = list(numbers({"a1": [3, "x**2 < 7/8", True], "b": {"c": 2.5}}))
    assert len(places) == 1 + 1 + 3 + 1
    rng = Random(0)
    small = {"a1": [3, "7/8"], "b": 1}
    copies = [tampered(small, path, position, rng) for path, position in numbers(small)]
    assert len({json.dumps(c) for c in copies} - {json.dumps(small)}) == 5


@pytest.mark.parametrize("name", IDS)
def test_any_altered_number_breaks_the_digest(name, certificates):
    for path, copy_ in sample(certificates[name], name):
        assert refusal(copy_, certificates) is not None, path


def registered(certificate, certificates, directory):
    """Does `linreg-dyn check` accept it, in a directory with the lemma, under the name of its claim?"""
    for name, content in {LEMMA: certificates[LEMMA], certificate["claim"]: certificate}.items():
        (directory / f"{name}.json").write_text(json.dumps(content))
    return check.run(argparse.Namespace(directory=str(directory))) == 0


@pytest.mark.parametrize("name", IDS)
def test_with_a_new_digest_the_algebra_or_the_registry_refuses(name, certificates, tmp_path, capsys):
    assert registered(certificates[name], certificates, tmp_path)
    by_algebra = 0
    for path, copy_ in sample({k: v for k, v in certificates[name].items() if k != "sha256"}, name):
        forged = signed(copy_)
        refused = refusal(forged, certificates) is not None
        by_algebra += refused
        if "proof" in path:
            assert refused, f"an altered proof is accepted: {path}"
        if not refused and path[0] == "witness":
            assert BREAKS[REFUTED](**exactly(forged["witness"]["given"])), "a witness that is none is accepted"
        elif not refused:
            target = tmp_path / str(by_algebra)
            target.mkdir(exist_ok=True)
            assert not registered(forged, certificates, target), f"an altered certificate is accepted: {path}"
            assert "REFUSED" in capsys.readouterr().out
    assert by_algebra >= TAMPERINGS / 4


def test_the_registry_refuses_a_statement_in_words_that_was_altered(certificates, tmp_path, capsys):
    """The words are not what is checked, so they must be those of the registered claim."""
    for key in ("statement", "source", "argument"):
        forged = signed({**certificates[IDENTITY], key: certificates[IDENTITY][key] + " 1"})
        assert refusal(forged) is None
        assert not registered(forged, certificates, tmp_path), key


# ---------------------------------------------------------------- weaker statements for stronger ones
def changed(certificate, old, new, **more):
    """The certificate with a text replaced in its statements (the proofs are kept)."""
    parts = [
        {
            **part,
            **{key: json.loads(json.dumps(part[key]).replace(old, new)) for key in ("where", "assume", "conclude")},
        }
        for part in certificate["parts"]
    ]
    assert parts != certificate["parts"]
    return signed({**certificate, "parts": parts, **more})


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("ginsburg.thm-3.1", "7/8", "6/7"),
        ("ginsburg.thm-3.1", "7/8", "8/9"),  # weaker, hence true: the proof is still of another statement
        ("ginsburg.thm-3.1", "1/(4*S)", "1/(3*S)"),
        ("ginsburg.thm-3.1", "< 1/2", "< 3/5"),
        ("ginsburg.thm-3.2-factor", "247/256", "31/32"),
        ("ginsburg.thm-3.2-factor", "247/256", "246/256"),
        ("ginsburg.thm-5.1", "delta < 1", "delta < 8"),
        (LEMMA, "x**2/2", "x**2/3"),
        (IDENTITY, "-4*lam", "-2*lam"),
    ],
)
def test_a_proof_is_of_its_own_statement_only(name, old, new, certificates):
    text = json.dumps([part["where"] + part["assume"] + part["conclude"] for part in certificates[name]["parts"]])
    if old not in text:
        pytest.fail(f"{name} does not say {old}")
    assert refusal(changed(certificates[name], old, new), certificates) is not None


def weaker(certificate):
    """A true certificate of too little: only the last conclusion of the last part."""
    part = certificate["parts"][-1]
    goals = list(checker.goals_of(part))
    last = {**part, "conclude": part["conclude"][-1:]}
    keep = len(list(checker.goals_of(last)))
    assert keep < len(goals)
    return signed({**certificate, "parts": [{**last, "proof": part["proof"][-keep:]}]})


def test_a_weaker_statement_is_not_taken_for_the_registered_one(certificates, tmp_path, capsys):
    less = weaker(certificates["ginsburg.thm-3.2-factor"])
    assert refusal(less, certificates) is None, "it is true, and proved"
    assert not registered(less, certificates, tmp_path)
    assumed = copy.deepcopy(certificates[IDENTITY])
    assumed["parts"][0]["assume"].append("W == 1")
    assert refusal(signed(assumed)) is None, "an assumption more is weaker still"
    assert not registered(signed(assumed), certificates, tmp_path)


def test_another_claims_certificate_does_not_count(certificates, tmp_path):
    relabelled = signed({**certificates[IDENTITY], "claim": "ginsburg.thm-3.1"})
    assert refusal(relabelled) is None
    assert not registered(relabelled, certificates, tmp_path)
    unknown = signed({**certificates[IDENTITY], "claim": "ginsburg.thm-9.9"})
    (tmp_path / "unknown").mkdir()
    assert not registered(unknown, certificates, tmp_path / "unknown")


def test_a_transplanted_proof_is_refused(certificates):
    for receiver in PROVED:
        for donor in PROVED:
            if donor == receiver:
                continue
            proofs = [proof for part in certificates[donor]["parts"] for proof in part["proof"]]
            parts = [
                {**part, "proof": [proofs[k % len(proofs)] for k in range(len(part["proof"]))]}
                for part in certificates[receiver]["parts"]
            ]
            assert refusal(signed({**certificates[receiver], "parts": parts}), certificates), (receiver, donor)


def test_without_its_lemma_a_certificate_is_refused(certificates):
    name = "ginsburg.thm-3.1"
    assert refusal(certificates[name], certificates) is None
    assert "no accepted certificate" in str(refusal(certificates[name]))
    other = copy.deepcopy(certificates[LEMMA])  # a lemma that says less helps less
    for part in other["parts"]:
        part["conclude"] = [text.replace("1 - x + x**2/2", "1 + x**2") for text in part["conclude"]]
    assert refusal(certificates[name], {LEMMA: other}) is not None
