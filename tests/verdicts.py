"""What every audited module of claims must come to."""

from linreg_dyn.certify import checker


def decided_and_amended(claims, evidence, refuted):
    """What is refuted is printed, and its amendment is proved; every mutant falls; certificates are accepted."""
    assert {name for name, e in evidence.items() if e.verdict == "refuted"} == refuted
    assert all(evidence[name].verdict == "proved" for name in set(claims) - refuted)
    for name, e in evidence.items():
        assert e.mutants["refuted"] == e.mutants["tried"] >= 2
        checker.check_certificate(e.certificate)
        assert (claims[name].amended_by is not None) == (name in refuted)
        if name in refuted:
            assert claims[claims[name].amended_by or ""].amends == name
