"""Commands that measure auditkit itself, run from the root as `python -m benchmarks.ROOM.COMMAND`.

speed/     the engine beside other ways to train as many models: `make bench`
validity/  is the audit right: coverage, error rates, seeds, looks, interfaces, handed-in models
attacks/   how strong the attacks are, and how fast

results/   what was found, as docs/ quotes it. Named as a package because others install one of this
name, too.
"""
