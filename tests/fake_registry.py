"""A small registry of claims with made-up results in every verdict and kind."""

from linreg_dyn import report
from linreg_dyn.claims.core import Claim, Evidence, Mutant, Part, Source

PART = Part(
    given={"w": "layers"},
    where=(("W", "Prod(w)"), ("k", "1 - W**2 / Sum(w**-2)")),
    assume=("abs(W - 1) < 1/2",),
    conclude=("abs(k) < 1", "k <= 7/8"),
)
MUTANTS = (Mutant("$k$ up to $3/4$ only", replace=(("7/8", "3/4"),)), Mutant("no assumption", drop=0))


def claim(name, kind="printed", statement=r"$|W-1| < \tfrac12$ gives $\lambda > 0$ & more", **more):
    title = more.pop("title", f"Claim {name}")
    source = Source("fake2020", f"eq. {len(name)}")
    return Claim(f"fake.{name}", title, statement, source, kind, (PART,), MUTANTS, **more)


CLAIMS = [
    claim("step", reading="the flow, with time in units of the step", argument="one line of algebra"),
    claim("loss", amended_by="fake.loss-fixed", depths=(2, 3, 4, 5, 8)),
    claim("loss-fixed", "amended", amends="fake.loss"),
    claim("step.largest-rate", "sharp", statement=r"\sup \lambda = \frac{1}{4}"),
    claim("search", title="Nothing found"),
    claim("open", statement=r"$\unknowncommand{x}$ <script>alert(1)</script>"),
]

_FOUND = {
    "fake.step": ("proved", {}),
    "fake.loss": ("refuted", {"witness": {"part": 0, "given": {"w": ["1/2", "3"]}, "breaks": "k <= 7/8"}}),
    "fake.loss-fixed": ("certified", {"seconds": 12.5}),
    "fake.step.largest-rate": ("proved", {"values": {"c": {"lower": "0.249", "upper": "0.251"}}}),
    "fake.search": ("survived", {"tried": 12000, "admitted": 9000}),
    "fake.open": ("undecided", {"seconds": 3.25}),
}


def evidence_of(item):
    verdict, more = _FOUND[item.id]
    certificate = None
    if verdict in ("proved", "certified", "refuted"):
        certificate = {"claim": item.id, "verdict": verdict, "parts": [part.formal() for part in item.parts]}
    return Evidence(
        item,
        verdict,
        f"made up as {verdict}",
        **{
            "mutants": {"tried": 2, "refuted": 2},
            "tried": 100,
            "certificate": certificate,
            "seconds": 0.5,
            **more,
        },
    )


def select(prefixes):
    for prefix in prefixes:
        if not any(item.id.startswith(prefix) for item in CLAIMS):
            raise ValueError(f"no claim begins with {prefix!r}; the closest is {CLAIMS[0].id}")
    return [item for item in CLAIMS if not prefixes or any(item.id.startswith(prefix) for prefix in prefixes)]


def audit(claims, *, seed=0, on_result=None):
    found = []
    for item in claims:
        found.append(evidence_of(item))
        if on_result is not None:
            on_result(found[-1])
    return found


EVIDENCE = audit(CLAIMS)
IDS = [item.id for item in CLAIMS]
PICTURE = bytes.fromhex(  # one white pixel
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63f80f00010101001bb6ee56"
    "0000000049454e44ae426082"
)


def page(evidence=EVIDENCE, **more):
    links = report.links([item.claim.id for item in evidence if item.certificate], "out/certificates", "out")
    return report.render(evidence, report.metadata(evidence, seed=3), certificates=links, **more)
