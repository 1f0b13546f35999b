"""Certificates: how proofs are found (`find`), and the stand-alone checker that believes no one (`checker`)."""
