"""Writes reference.json: the results of SciPy and statsmodels on the samples of the Rust tests.

Run with `python reference.py > reference.json` (numpy, scipy >= 1.13, statsmodels, pandas).
"""

import itertools
import json

import numpy as np
from scipy import stats
from scipy.special import gammaln

rng = np.random.default_rng(0)
ALTERNATIVES = {"greater": "greater", "less": "less", "two_sided": "two-sided"}


def entry(a, b, test, statistic=None, df=None):
    """The statistic and the three p-values of `test(a, b, alternative)`."""
    found = {key: test(a, b, name) for key, name in ALTERNATIVES.items()}
    out = {"a": list(map(float, a)), "b": list(map(float, b))}
    out |= {key: float(result.pvalue) for key, result in found.items()}
    out["statistic"] = float(found["greater"].statistic if statistic is None else statistic)
    if df is not None:
        out["df"] = float(df(found["greater"]))
    return out


def resampled_t(values, groups, null):
    """The bootstrap-t of a mean, drawing whole groups: all choices of groups, equally likely."""
    units = [values[groups == group] for group in np.unique(groups)]

    def t(units, target):
        x = np.concatenate(units)
        sums = [(unit - x.mean()).sum() for unit in units]
        error = np.sqrt(len(units) / (len(units) - 1) * np.square(sums).sum()) / len(x)
        difference = x.mean() - target
        if abs(difference) < 1e-12:
            return 0.0
        return difference / error if error > 1e-12 else np.copysign(np.inf, difference)

    observed = t(units, null)
    moved = [unit - values.mean() for unit in units]
    drawn = np.array([t(choice, 0.0) for choice in itertools.product(moved, repeat=len(moved))])
    return {
        "values": list(values), "groups": list(groups), "null": null, "statistic": observed,
        "greater": (drawn >= observed - 1e-9).mean(), "less": (drawn <= observed + 1e-9).mean(),
        "two_sided": (abs(drawn) >= abs(observed) - 1e-9).mean(),
    }


def mean_difference(x, y, axis):
    return np.mean(x, axis=axis) - np.mean(y, axis=axis)


def exchange(a, b, alternative):
    """All relabellings; two-sided compares the magnitude of the difference of means."""
    if alternative == "two-sided":
        return stats.permutation_test(
            (a, b), lambda x, y, axis: abs(mean_difference(x, y, axis)), vectorized=True, n_resamples=np.inf, alternative="greater"
        )
    return stats.permutation_test((a, b), mean_difference, vectorized=True, n_resamples=np.inf, alternative=alternative)


def flip(a, b, alternative):
    """All sign flips of the differences."""
    return stats.permutation_test(
        (a - b,), np.mean, permutation_type="samples", vectorized=True, n_resamples=np.inf, alternative=alternative
    )


def monte_carlo(a, b, alternative):
    """`b` are the draws of the null, `a` the observed value."""
    draws = iter(b)
    return stats.monte_carlo_test(
        a, lambda size: np.array([[next(draws)] for _ in range(size[0])]),
        lambda x, axis: np.mean(x, axis=axis), n_resamples=len(b), alternative=alternative, vectorized=True,
    )


def exact_signed_rank(a, b, alternative):
    """All sign flips of the signed ranks: the exact test with ties."""
    d = np.asarray(a) - np.asarray(b)
    d = d[d != 0]
    ranks = stats.rankdata(abs(d))
    plus = ranks[d > 0].sum()
    signs = (np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1
    sums = signs @ ranks
    tails = {"greater": np.mean(sums >= plus), "less": np.mean(sums <= plus)}
    p = min(1.0, 2 * min(tails.values())) if alternative == "two-sided" else tails[alternative]
    return type("R", (), {"pvalue": p, "statistic": plus})


def wilcoxon(method):
    return lambda a, b, alternative: stats.wilcoxon(a, b, alternative=alternative, method=method)


def mann_whitney(method):
    return lambda a, b, alternative: stats.mannwhitneyu(a, b, alternative=alternative, method=method)


def mann_whitney_permuted(a, b, alternative):
    return stats.mannwhitneyu(a, b, alternative=alternative, method=stats.PermutationMethod(n_resamples=np.inf))


def binomial(k, n, p):
    row = {"k": k, "n": n, "p": p}
    row |= {key: float(stats.binomtest(k, n, p, name).pvalue) for key, name in ALTERNATIVES.items()}
    low, high = stats.binomtest(k, n, p).proportion_ci(0.95, method="exact")
    return row | {"low": float(low), "high": float(high)}


def holm(p):
    p = np.asarray(p)
    order = np.argsort(p)
    steps = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    out = np.empty_like(p)
    out[order] = steps
    return out


def studentised(a, b, alternative):
    """All relabellings of Welch's t; two-sided compares its magnitude."""
    def t(x, y, axis):
        return stats.ttest_ind(x, y, axis=axis, equal_var=False).statistic
    if alternative == "two-sided":
        return stats.permutation_test((a, b), lambda x, y, axis: abs(t(x, y, axis)), vectorized=True, n_resamples=np.inf, alternative="greater")
    return stats.permutation_test((a, b), t, vectorized=True, n_resamples=np.inf, alternative=alternative)


def extra(out):
    """Entries with generators of their own, so that they leave the other samples as they are."""
    import pandas as pd
    import statsmodels.api as sm
    from statsmodels.formula.api import ols
    from statsmodels.stats.contingency_tables import mcnemar

    values = np.round(np.random.default_rng(11).normal(0.4, 1, 23), 1)
    k, below, n = int((values > 0.2).sum()), int((values < 0.2).sum()), len(values)
    tail = lambda count: float(stats.binomtest(count, n, 0.5, "greater").pvalue)
    out["sign_test"] = {
        "values": list(values), "null": 0.2, "greater": tail(k), "less": tail(below), "two_sided": min(1.0, 2 * min(tail(k), tail(below))),
    }
    out["mcnemar"] = [
        {"first": b, "second": c, "two_sided": float(mcnemar([[5, b], [c, 7]], exact=True).pvalue)} for b, c in [(3, 11), (8, 8), (20, 4), (1, 0)]
    ]
    rng = np.random.default_rng(12)
    out["studentised_permutation"] = entry(rng.normal(0.5, 2, 5), rng.normal(0, 1, 7), studentised)

    rng = np.random.default_rng(13)
    first, second = np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6)
    values = rng.normal(0, 1, 6)[first] + rng.normal(0, 0.7, 4)[second] + rng.normal(0.3, 0.5, 24)
    table = pd.DataFrame({"y": values, "a": first, "b": second})
    squares = sm.stats.anova_lm(ols("y ~ C(a) + C(b)", table).fit())
    a, b, e = squares["sum_sq"] / squares["df"]
    out["crossed"] = {
        "values": list(values), "first": list(map(int, first)), "second": list(map(int, second)),
        "components": [(a - e) / 4, (b - e) / 6, e], "standard_error": float(np.sqrt((a + b - e) / 24)),
    }

    # Hodges-Lehmann intervals: the shifts that SciPy's own exact tests do not reject, by halving.
    def ends(p, estimate, alpha):
        found = []
        for sign in (-1.0, 1.0):
            kept, dropped = estimate, estimate + sign * 10
            for _ in range(60):
                middle = (kept + dropped) / 2
                kept, dropped = (middle, dropped) if p(middle) > alpha else (kept, middle)
            found.append(kept)
        return found

    rng = np.random.default_rng(14)
    x, y = rng.normal(0.4, 1, 15), rng.normal(0, 1, 11)
    walsh = [(x[i] + x[j]) / 2 for i in range(15) for j in range(i, 15)]
    shift = (x[:, None] - y[None]).ravel()
    out["duals"] = {
        "a": list(x), "b": list(y), "pseudo_median": float(np.median(walsh)), "shift": float(np.median(shift)),
        "wilcoxon": ends(lambda s: stats.wilcoxon(x - s, method="exact").pvalue, float(np.median(walsh)), 0.05),
        "mann_whitney": ends(lambda s: stats.mannwhitneyu(x - s, y, method="exact").pvalue, float(np.median(shift)), 0.05),
        "sign_test": ends(lambda s: min(1, 2 * stats.binomtest(int(max((x > s).sum(), (x < s).sum())), 15, 0.5, "greater").pvalue), float(np.median(x)), 0.05),
        "one_sample_t": list(map(float, stats.ttest_1samp(x, 0).confidence_interval(0.95))),
        "welch": list(map(float, stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95))),
    }
    out["large"] = {
        "binomial": [binomial(*row) for row in [(500_900, 1_000_000, 0.5), (1_234, 1_000_000, 0.0012)]],
        "student": [[t, df, float(stats.t.sf(t, df))] for t in (0.5, 2.0, 6.0) for df in (1e5, 1e6)],
    }


def main():
    out = {}
    out["student_critical"] = [
        [level, df, float(stats.t.isf((1 - level) / 2, df))] for level in (0.5, 0.9, 0.95, 0.999) for df in (1, 2.5, 7, 30, 1e4)
    ]
    out["student_tail"] = [
        [t, df, float(stats.t.sf(t, df))] for t in (-3.0, 0.01, 0.7, 2.0, 5.0, 40.0) for df in (1, 3.3, 12, 500)
    ]

    a, b = rng.normal(0.4, 1, 14), rng.normal(0, 2.5, 23)
    out["welch"] = entry(a, b, lambda a, b, alt: stats.ttest_ind(a, b, equal_var=False, alternative=alt), df=lambda r: r.df)
    out["welch_interval_95"] = list(map(float, stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)))

    a = rng.normal(0.3, 1.2, 17)
    out["one_sample_t"] = entry(a, [0.1], lambda a, b, alt: stats.ttest_1samp(a, b[0], alternative=alt), df=lambda r: r.df)
    out["one_sample_t_interval_90"] = list(map(float, stats.ttest_1samp(a, 0).confidence_interval(0.9)))

    a, b = rng.normal(5.2, 1, 12), rng.normal(5, 1, 12)
    out["paired_t"] = entry(a, b, lambda a, b, alt: stats.ttest_rel(a, b, alternative=alt), df=lambda r: r.df)

    a, b = rng.normal(0.4, 1, 9), rng.normal(0, 1, 9)
    out["sign_flip"] = entry(a, b, flip)
    a, b = rng.normal(0.5, 1, 5), rng.normal(0, 1, 8)
    out["permutation"] = entry(a, b, exchange)
    out["monte_carlo"] = entry([1.4], np.round(rng.normal(0, 1, 199), 1), monte_carlo)

    a, b = rng.normal(0.4, 1, 21), rng.normal(0, 1, 21)
    out["wilcoxon"] = entry(a, b, wilcoxon("exact"))
    a, b = np.array([3, 5, 2, 8, 4, 4, 7, 6, 1, 9, 5.0]), np.array([1, 6, 2, 5, 2, 5, 4, 4, 2, 6, 3.0])
    out["wilcoxon_ties"] = entry(a, b, exact_signed_rank)
    a, b = rng.normal(0.2, 1, 70), rng.normal(0, 1, 70)
    out["wilcoxon_large"] = entry(a, b, wilcoxon("asymptotic"))
    a, b = rng.integers(0, 9, 90).astype(float), rng.integers(0, 8, 90).astype(float)
    out["wilcoxon_large_ties"] = entry(a, b, wilcoxon("asymptotic"))

    a, b = rng.normal(0.6, 1, 9), rng.normal(0, 1, 12)
    out["mann_whitney"] = entry(a, b, mann_whitney("exact"))
    a, b = np.array([1, 2, 2, 3, 5.0]), np.array([0, 1, 2, 2, 3, 1.0])
    out["mann_whitney_ties"] = entry(a, b, mann_whitney_permuted)
    a, b = rng.normal(0.2, 1, 40), rng.normal(0, 1, 55)
    out["mann_whitney_large"] = entry(a, b, mann_whitney("asymptotic"))
    a, b = rng.integers(0, 7, 40).astype(float), rng.integers(0, 6, 45).astype(float)
    out["mann_whitney_large_ties"] = entry(a, b, mann_whitney("asymptotic"))

    out["binomial"] = [binomial(*row) for row in [(7, 10, 0.5), (0, 9, 0.3), (12, 12, 0.8), (61, 200, 0.25), (480, 1000, 0.5)]]

    values = rng.exponential(1, 40)
    boot = {
        method: stats.bootstrap((values,), np.mean, n_resamples=499, method=method, rng=np.random.default_rng(1))
        for method in ("percentile", "BCa")
    }
    assert (boot["BCa"].bootstrap_distribution == boot["percentile"].bootstrap_distribution).all()
    many = stats.bootstrap((values,), np.mean, n_resamples=1_000_000, batch=10_000, method="percentile", rng=np.random.default_rng(2))
    jackknife = np.array([np.delete(values, i).mean() for i in range(len(values))])
    lean = jackknife.mean() - jackknife
    out["bootstrap"] = {
        "values": list(map(float, values)),
        "draws": list(map(float, boot["BCa"].bootstrap_distribution)),
        "many_percentile": list(map(float, many.confidence_interval)),
        "percentile": list(map(float, boot["percentile"].confidence_interval)),
        "bca": list(map(float, boot["BCa"].confidence_interval)),
        "acceleration": float((lean**3).sum() / (6 * (lean**2).sum() ** 1.5)),
    }

    a, b = np.round(rng.normal(0.6, 1, 15), 1), np.round(rng.normal(0, 1.4, 15), 1)
    d, half = a - b, (len(a) + len(b)) / 2 - 1
    pooled = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    cohen = (a.mean() - b.mean()) / pooled
    signed = stats.rankdata(abs(d[d != 0]))
    out["effect"] = {
        "a": list(a), "b": list(b), "cohen_d": cohen,
        "hedges_g": cohen * np.exp(gammaln(half) - gammaln(half - 0.5)) / np.sqrt(half),
        "cohen_dz": d.mean() / d.std(ddof=1),
        "cliffs_delta": np.sign(a[:, None] - b[None]).mean(),
        "rank_biserial": (signed * np.sign(d[d != 0])).sum() / signed.sum(),
        "pearson": stats.pearsonr(a, b).statistic, "spearman": stats.spearmanr(a, b).statistic,
    }

    a, b = rng.normal(0.1, 1, 30), rng.normal(0, 1.3, 25)
    low, high = -0.7, 0.8
    two = lambda x: max(
        stats.ttest_ind(x - low, b, equal_var=False, alternative="greater").pvalue,
        stats.ttest_ind(x - high, b, equal_var=False, alternative="less").pvalue,
    )
    out["tost"] = {
        "a": list(a), "b": list(b), "low": low, "high": high,
        "one_sample": max(stats.ttest_1samp(a, low, alternative="greater").pvalue, stats.ttest_1samp(a, high, alternative="less").pvalue),
        "two_sample": two(a),
    }

    p = [0.01, 0.04, 0.03, 0.005, 0.6, 0.03, 0.9, 0.0004]
    out["multiplicity"] = {
        "p_values": p, "bonferroni": [min(1.0, x * len(p)) for x in p], "holm": list(holm(p)),
        "bh": list(stats.false_discovery_control(p)), "by": list(stats.false_discovery_control(p, method="by")),
    }
    extra(out)
    values = np.random.default_rng(1).normal(0.4, 1, 6)
    out["bootstrap_test"] = resampled_t(values, np.arange(6), 0.0)
    values = np.random.default_rng(2).normal(0.3, 1, 14) + np.repeat([0.5, -0.2, 0.9, 0.1, 0.4, -0.6], [3, 2, 4, 1, 2, 2])
    out["cluster_bootstrap_test"] = resampled_t(values, np.repeat(np.arange(6), [3, 2, 4, 1, 2, 2]), 0.0)
    print("{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value, default=float)}" for key, value in out.items()) + "\n}")


main()
