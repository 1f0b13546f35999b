"""Chen, Yang and Zhou, Neural Network Training Techniques Regularize Optimization Trajectory (2020), by claim."""

from linreg_dyn.claims.chen import experiments, theorem

CLAIMS = (*theorem.CLAIMS, *experiments.CLAIMS)
