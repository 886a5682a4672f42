"""Power of t tests with statsmodels: python reference.py > reference.json"""

import json

from statsmodels.stats.power import TTestPower

ALTERNATIVES = {"two_sided": "two-sided", "greater": "larger"}

power = TTestPower()
cases = []
for n, effect, alpha, alternative in [
    (12, 0.9, 0.05, "two_sided"),
    (30, 0.3, 0.05, "greater"),
    (5, 1.5, 0.01, "two_sided"),
    (100, 0.2, 0.05 / 24, "two_sided"),
    (3, 2.0, 0.05, "greater"),
    (2, 1.0, 0.05, "two_sided"),
]:
    name = ALTERNATIVES[alternative]
    cases.append(
        {
            "n": n,
            "effect": effect,
            "alpha": alpha,
            "alternative": alternative,
            "power": float(power.power(effect, n, alpha, alternative=name)),
            "smallest": float(power.solve_power(None, n, alpha, 0.8, alternative=name)),
        }
    )
print(json.dumps(cases, indent=1))
