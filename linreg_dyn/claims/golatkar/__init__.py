"""Golatkar, Achille and Soatto, Time Matters in Regularizing Deep Networks (2019), by claim."""

from linreg_dyn.claims.golatkar import convex, experiments, fisher

CLAIMS = (*experiments.CLAIMS, *convex.CLAIMS, *fisher.CLAIMS)
