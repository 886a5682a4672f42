"""Boundaries of looks by quadrature, checked by SciPy's multivariate normal: python looks.py > looks.json

The statistics of the looks are normal with correlations sqrt(share_i / share_j). What has not crossed by a look is the integral
over a box: here by Gauss and Legendre's rule, look after look, to about 1e-12. The boundary of each look in turn is where it
equals one minus the alpha that is spent; Pocock's and O'Brien and Fleming's constants are those at which a box of their shape
holds 95 %. Genz's integral over the whole box (`multivariate_normal.cdf`), which knows nothing of looks, must agree to what
its quasi-random points resolve.
"""

import json

import numpy as np
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm

ALPHA = 0.05
NODES, WEIGHTS = np.polynomial.legendre.leggauss(160)


def inside(z, shares):
    """The chance that no look is beyond its z, on either side."""
    at, mass, before = np.zeros(1), np.ones(1), 0.0
    for bound, share in zip(np.asarray(z) * np.sqrt(shares), shares):
        nodes, weights = bound * NODES, bound * WEIGHTS
        density = norm.pdf(nodes[:, None], at, np.sqrt(share - before)) @ mass
        at, mass, before = nodes, weights * density, share
    return mass.sum()


def checked(z, shares):
    """The same z, if Genz's integral gives the same chance."""
    cov = np.sqrt(np.minimum.outer(shares, shares) / np.maximum.outer(shares, shares))
    law = multivariate_normal(np.zeros(len(z)), cov, maxpts=2_000_000, abseps=1e-7, releps=1e-7, seed=1)
    genz, ours = law.cdf(z, lower_limit=-np.asarray(z)), inside(z, shares)
    assert abs(genz - ours) < 5e-6, (z, genz, ours)
    return [float(each) for each in z]


def spent(kind, share):
    tail = ALPHA / 2
    one = 2 * norm.sf(norm.isf(tail / 2) / np.sqrt(share)) if kind == "o_brien_fleming" else tail * np.log(1 + (np.e - 1) * share)
    return 2 * (tail if share >= 1 else one)


def boundaries(kind, shares):
    z = []
    for look, share in enumerate(shares):
        target = 1 - spent(kind, share)
        z.append(brentq(lambda at: inside(z + [at], shares[: look + 1]) - target, 1.0, 8.0, xtol=1e-12))
    return checked(z, shares)


def constant(count, power):
    shares = np.arange(1, count + 1) / count
    found = brentq(lambda c: inside(c * shares**-power, shares) - (1 - ALPHA), 1.5, 3.5, xtol=1e-12)
    checked(found * shares**-power, shares)
    return found


out = {
    "boundaries": [
        {"values": values, "spending": kind, "z": boundaries(kind, np.array(values) / values[-1])}
        for kind in ("o_brien_fleming", "pocock")
        for values in ([1, 2, 3, 4, 5], [2, 4, 5], [10, 11, 40])
    ],
    "constants": [{"looks": count, "pocock": constant(count, 0), "o_brien_fleming": constant(count, 0.5)} for count in (2, 3, 4, 5, 10)],
}
print(json.dumps(out, indent=1))
