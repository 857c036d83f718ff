"""Claims of differential privacy, audited in one training run.

`claim` says what is claimed, `canaries` who is to be found out, `private_training` trains with
Opacus, and `audit` sets the measured lower bound of epsilon beside the claimed one. Nothing is
imported here: a claim is read without Opacus.
"""
