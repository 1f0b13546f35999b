"""Chen, Yang and Zhou, Neural Network Training Techniques Regularize Optimization Trajectory (2020), by claim."""

from linreg_dyn.claims.chen import experiments, gamma, theorem

CLAIMS = (*theorem.CLAIMS, *gamma.CLAIMS, *experiments.CLAIMS)
