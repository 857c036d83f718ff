"""The benchmarks. Named as a package because others install one of this name, too."""
