"""What holds for every attack of the registry."""

import dataclasses
import functools

import numpy as np
import pytest
from worlds import few_trees, trained

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.observations import recipe
from pytest_mia.attacks.protocol import needs_fitting
from pytest_mia.attacks.registry import ATTACKS, ON_REQUEST, fitting, read_features, reads, unknown
from pytest_mia.models.answers import Labels, Logits, LogOdds, Losses, Probabilities, Residuals, TokenLogProbabilities
from pytest_mia.models.signals import Signals, signals_of, stack
from pytest_mia.statistics import auc

NAMES = [attack.name for attack in ATTACKS]
ON_COPIES = {f"{name}_augmented" for name in ("loss", "mast", "lira_online", "nig_t")}
OF_OTHERS = {
    *ON_COPIES,
    "lira_online_residual",
    "nig_t_residual",
    "single_columns",
    "digit_frequency",
    "label_frequency",
    "min_k",
    "min_k_plus",
    "quantile_regression",
    "combined_neighbours",
}
"""Attacks on what classifiers don't answer, or on the records themselves."""
LATER = [attack.name for attack in ON_REQUEST]
SLOW = {"combined": pytest.mark.slow}
every_attack = pytest.mark.parametrize(
    "attack",
    [
        *(pytest.param(attack, id=attack.name, marks=SLOW.get(attack.name, ())) for attack in ATTACKS),
        *(pytest.param(few_trees(attack), id=attack.name, marks=pytest.mark.slow) for attack in ON_REQUEST),
    ],
)
FEW_VALUES = {"calibrated_gap", "calibrated_augmentation", "label_noise", "augmentation"}
"""What these make of a record takes few values, most of them the highest or the lowest."""
CLASSIFIERS = {"shokri", *LATER} - {"quantile_regression", "combined_neighbours"}
FEW_WORLDS = {*SLOW, *LATER}
"""Attacks that take long; fewer worlds allow more noise."""
FITTED = {"combined", "combined_neighbours"}
"""Those that take longest: by the number of models, not by that of records, of which three models must have 1000."""
RNG = np.random.default_rng(0)
MODELS, RECORDS = 4, 60
Y = np.arange(RECORDS) % 2
MEMBERS = RNG.random((MODELS, RECORDS)) < 0.5
NORMAL = RNG.normal(size=(MODELS, RECORDS, 2))


world = functools.cache(trained)
"""Worlds that several attacks are run on."""


def repeated(answer):
    return [answer] * MODELS


EXTREMES = {
    "the same logits everywhere": repeated(Logits(np.zeros((RECORDS, 2)))),
    "certain of one class": repeated(Probabilities(np.tile([1.0, 0.0], (RECORDS, 1)))),
    "models that agree": repeated(Logits(NORMAL[0])),
    "zeros and ones": [Probabilities((z > z.mean(axis=1, keepdims=True)).astype(float)) for z in NORMAL],
    "zeros and ones in float32": [
        Probabilities(np.eye(2, dtype=np.float32)[(z[:, 0] > 0).astype(int)]) for z in NORMAL
    ],
    "all zeros": repeated(Probabilities(np.zeros((RECORDS, 2)))),
    "quarters": [Probabilities(np.round(4 / (1 + np.exp(-z))) / 4) for z in NORMAL],
    "the largest float32": [Logits(np.sign(z) * 3e38) for z in NORMAL],
    "the largest float64": [Logits(np.sign(z) * 1.7e308) for z in NORMAL],
    "the smallest differences": [Logits(1 + 1e-16 * z) for z in NORMAL],
    "one record far off": [Logits(np.where(np.arange(RECORDS)[:, None] == 7, 1e30, z)) for z in NORMAL],
    "labels": [Labels((z[:, 0] > 0).astype(int)) for z in NORMAL],
    "the same label everywhere": repeated(Labels(np.zeros(RECORDS, dtype=int))),
    "losses": [Losses(z[:, 0] ** 2) for z in NORMAL],
    "losses of zero": repeated(Losses(np.zeros(RECORDS))),
    "residuals": [Residuals(z) for z in NORMAL],
    "residuals of zero": repeated(Residuals(np.zeros((RECORDS, 1)))),
    "residuals near the end of float64": [Residuals(np.sign(z[:, :1]) * 1e308) for z in NORMAL],
    "several labels": [LogOdds(z) for z in NORMAL],
    "several labels near the end of float64": [LogOdds(np.sign(z) * 1e308) for z in NORMAL],
    "tokens": [TokenLogProbabilities(-np.abs(z), z, np.abs(z)) for z in NORMAL],
    "tokens that are certain": repeated(TokenLogProbabilities(*np.zeros((3, RECORDS, 2)))),
    "losses near the end of float64": [Losses(np.sign(z[:, 0]) * 1e308) for z in NORMAL],
}
SIDES = {
    "both sides": MEMBERS,
    "nobody a member": np.zeros_like(MEMBERS),
    "everybody a member": np.ones_like(MEMBERS),
    "one record": np.arange(RECORDS) == np.zeros((MODELS, 1)),
}


class TestRegistry:
    def test_default_stands_for_all_that_run_unasked(self):
        signals = Signals(**{name: np.zeros((2, 3)) for name in Signals.__dataclass_fields__})
        unasked = fitting(signals, shadows=7)
        assert fitting(signals, shadows=7, names=["default"]) == unasked
        more = fitting(signals, shadows=7, names=["default", "shokri_naive_bayes", "loss"])
        assert [attack.name for attack in more] == [*(attack.name for attack in unasked), "shokri_naive_bayes"]
        assert unknown(["default", "defaults"]) == ["defaults"]

    def test_names_are_unique(self):
        assert len({*NAMES, *LATER}) == len(NAMES) + len(LATER)

    def test_what_the_contract_promises(self):
        assert set(NAMES) == {
            "gap",
            "loss",
            "modified_entropy",
            "entropy",
            "loss_per_class",
            "modified_entropy_per_class",
            "calibrated_gap",
            "shokri",
            "base_online",
            "base_offline",
            "attack_r",
            "attack_p",
            *("lira_online", "lira_offline", "rmia_online", "rmia_offline", "mast", "watson", "nig_t"),
            *("loss_centred", "mast_centred", "nig_t_centred", "rmia_online_centred"),
            "lira_online_residual",
            "nig_t_residual",
            "min_k",
            "min_k_plus",
            *ON_COPIES,
            "combined",
            *(f"{start}{name}" for name in ("label_noise", "augmentation") for start in ("", "calibrated_")),
        }  # fmt: skip

    def test_seven_classifiers_and_a_regression_on_request(self):
        kinds = ("logistic_regression", "naive_bayes", "nearest_neighbours", "decision_tree", "random_forest")
        shokri = {f"shokri_{kind}" for kind in (*kinds, "gradient_boosting", "perceptron")}
        assert {name for name in LATER if name.startswith("shokri")} == shokri
        assert {"quantile_regression", "combined_neighbours"} <= {*LATER}

    def test_every_attack_describes_itself_in_plain_text(self):
        for attack in (*ATTACKS, *ON_REQUEST):
            for words in (attack.family, attack.summary, attack.reference.paper):
                assert words.isascii(), attack.name
                assert words.strip() == words != "", attack.name
            assert "{}" not in attack.summary

    def test_unknown_names_are_named(self):
        assert unknown(["lira", "loss", "gaps"]) == ["lira", "gaps"]

    def of(self, answer, shadows, names=None):
        return [attack.name for attack in fitting(stack([signals_of(answer, Y)]), shadows=shadows, names=names)]

    def test_labels_leave_two(self):
        assert self.of(Labels(Y), 7) == ["gap", "calibrated_gap"]
        assert self.of(Labels(Y), 0) == ["gap"]

    def test_losses_leave_those_on_log_odds(self):
        found = set(self.of(Losses(np.ones(RECORDS)), 7))
        assert found == {attack.name for attack in ATTACKS if attack.signals == ("confidence",)}

    def test_without_shadows_only_thresholds(self):
        found = self.of(Logits(NORMAL[0]), 0)
        assert found == ["gap", "loss", "modified_entropy", "entropy", "attack_p", "loss_centred"]

    def test_one_shadow_gives_no_other_side(self):
        two_sided = {"lira_online", "rmia_online", "mast", "nig_t", "shokri", "loss_per_class"}
        assert not two_sided & set(self.of(Logits(NORMAL[0]), 1))

    def test_several_labels_leave_out_what_looks_at_the_other_classes(self):
        found = set(self.of(LogOdds(NORMAL[0]), 7))
        read = {"correct", "confidence", "tempered", "columns"}
        assert found == {attack.name for attack in ATTACKS if {*attack.signals} <= read}

    def test_residuals_have_attacks_of_their_own(self):
        found = set(self.of(Residuals(NORMAL[0][:, :1]), 7))
        assert found == {*self.of(Losses(np.ones(RECORDS)), 7), "lira_online_residual", "nig_t_residual"}

    def test_several_outputs_have_no_sign(self):
        assert self.of(Residuals(NORMAL[0]), 7) == self.of(Losses(np.ones(RECORDS)), 7)

    def test_tokens_have_attacks_of_their_own(self):
        tokens = -np.abs(NORMAL[0])
        found = set(self.of(TokenLogProbabilities(tokens), 7))
        assert found == {*self.of(Losses(np.ones(RECORDS)), 7), "min_k"}
        assert {*self.of(TokenLogProbabilities(tokens, tokens, -tokens), 7)} == {*found, "min_k_plus"}

    def test_attacks_on_the_records_need_them(self):
        signals = stack([signals_of(Logits(NORMAL[0]), Y)])
        names = ["quantile_regression", "gap"]
        assert read_features(names)
        assert not read_features(["gap"])
        found = [
            [attack.name for attack in fitting(signals, shadows=7, names=names, features=x)] for x in (False, True)
        ]
        assert found == [["gap"], ["gap", "quantile_regression"]]

    def test_three_shadows_run_all_that_are_not_on_request(self):
        signals, every = trained(1.0, models=4).signals, [*NAMES, *LATER]
        assert [attack.name for attack in fitting(signals, shadows=3)] == NAMES
        assert [attack.name for attack in fitting(signals, shadows=3, names=every, features=True)] == every

    def test_what_wasn_t_probed_is_not_attacked(self):
        missing = {*NAMES, *LATER} - {*self.of(Logits(NORMAL[0]), 3, [*NAMES, *LATER])}
        names = ("label_noise", "augmentation", "hop_skip_jump", "gradient_norm")
        assert missing - OF_OTHERS == {f"{start}{name}" for name in names for start in ("", "calibrated_")}

    def test_fields_that_attacks_read(self):
        assert reads(["gap", "calibrated_label_noise"]) == {"correct", "noise_robustness"}

    def test_asked_for_by_name_in_the_registry_s_order(self):
        assert self.of(Logits(NORMAL[0]), 7, ["nig_t", "gap"]) == ["gap", "nig_t"]


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_scores_are_finite_whatever_the_models_answer(extreme, sides):
    """Warnings are errors in these tests, so nothing was divided by zero on the way either."""
    answers = EXTREMES[extreme]
    signals = stack([signals_of(answer, Y) for answer in answers], losses=isinstance(answers[0], Losses))
    given = recipe(signals, SIDES[sides], Y)
    for attack in fitting(signals, shadows=MODELS - 1):
        if attack.name == "shokri" and sides != "both sides":
            continue
        for scores in attack.scores(given):
            assert scores.shape == (MODELS, RECORDS)
            assert np.isfinite(scores).all(), attack.name


@pytest.mark.slow
@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_so_are_those_of_attacks_on_request(extreme, sides):
    answers = EXTREMES[extreme]
    signals = stack([signals_of(answer, Y) for answer in answers], losses=isinstance(answers[0], Losses))
    for attack in map(few_trees, fitting(signals, shadows=MODELS - 1, names=LATER)):
        if attack.name != "shokri_random_forest" or sides == "both sides":
            for scores in attack.scores(recipe(signals, SIDES[sides], Y)):
                assert scores.shape == (MODELS, RECORDS)
                assert np.isfinite(scores).all(), attack.name


@every_attack
def test_models_that_all_answer_alike_have_no_advantage(attack):
    """Constant answers on even classes: exactly 0, by any attack and at any threshold."""
    members = np.stack([np.random.default_rng(seed).permutation(np.repeat([False, True], 30)) for seed in range(4)])
    phi = np.full((4, 60), 0.25)
    tokens = np.full((4, 60, 5), -0.25)
    shown, shares = np.full((4, 60, 3), 0.25, dtype=np.float32), np.full((4, 60, 4), 0.3)
    signals = Signals(phi.round(), phi, phi, phi, shown, phi, phi, tokens, tokens, shares, phi, phi, phi, phi)
    signals = dataclasses.replace(signals, answered=phi, digits=tokens, columns=tokens)
    given = dataclasses.replace(recipe(signals, members, np.zeros(60, dtype=int)), features=np.eye(60))
    run = run_attack(attack, given, split_targets(given))
    assert run.auc.tolist() == [0.5] * 4
    for counts in (run.counts, *run.tail_counts):
        assert counts.flagged_members in ((0,) * 4, (30,) * 4)
        assert counts.flagged_members == counts.flagged_nonmembers


@every_attack
def test_no_leak(attack):
    """AUC 1/2 at every constant, over many models; pairs of models that count twice double the variance."""
    few = (4, 752, 1) if attack.name in FITTED else (4, 300, 4)
    models, records, count = few if attack.name in FEW_WORLDS else (8, 300, 12)
    worlds = [world(0.0, models=models, records=records, seed=seed) for seed in range(count)]
    noise = np.sqrt(2 * (records + 1) / (3 * records**2) / (models * count))
    for same_constant in zip(*(attack.scores(given) for given in worlds), strict=True):
        assert all(np.ptp(scores) > 0 for scores in same_constant), "an attack that says nothing would do as well"
        areas = [
            auc(row, mask)
            for scores, given in zip(same_constant, worlds, strict=True)
            for row, mask in zip(scores, given.members, strict=True)
        ]
        assert np.mean(areas) == pytest.approx(0.5, abs=4 * noise)


@every_attack
def test_planted_leak(attack):
    """Members' log-odds are three standard deviations of the noise higher; records' levels vary more than that."""
    models, records = (4, 376) if attack.name in FITTED else (5 if attack.name in FEW_WORLDS else 8, 300)
    given = world(3.0, models=models, records=records)
    run = run_attack(attack, given, split_targets(given))
    advantage = np.divide(run.counts.flagged_members, run.counts.members)
    advantage -= np.divide(run.counts.flagged_nonmembers, run.counts.nonmembers)
    by_the_answer = {"gap", "loss", "modified_entropy", "entropy", "attack_p", "loss_centred"} | CLASSIFIERS
    by_the_answer |= {"loss_augmented"}
    by_the_answer |= FEW_VALUES | {"loss_per_class", "modified_entropy_per_class"}
    by_the_answer |= {"min_k", "min_k_plus", "quantile_regression", "label_frequency", "digit_frequency"}
    assert advantage.mean() > (0.2 if attack.name in by_the_answer else 0.55)
    assert advantage.min() > (0.15 if attack.name in by_the_answer else 0.45)


@every_attack
@pytest.mark.parametrize("answers", ["logits", "quarters"])
def test_a_target_s_scores_do_not_depend_on_its_own_membership(attack, answers):
    """Not even in the last digit: where scores tie, that digit would be read as membership."""
    models, records = (4, 336) if attack.name in FITTED else (4 if attack.name in FEW_WORLDS else 6, 270)
    given = world(1.0, models=models, records=records)
    if answers == "quarters":
        names = [field.name for field in dataclasses.fields(Signals)]
        rounded = {name: np.round(getattr(given.signals, name) * 4) / 4 + 0.1 for name in names}
        given = dataclasses.replace(given, signals=Signals(**rounded))
    flipped = given.members.copy()
    flipped[2] = ~flipped[2]
    both = given, dataclasses.replace(given, members=flipped)
    for before, after in zip(*(scores_of(attack, each, 2) for each in both), strict=True):
        assert (after == before).all()


def scores_of(attack, given, model):
    """Of one model, by each value of the attack's constant, as an audit makes them: it fits anew for each target."""
    if not needs_fitting(attack):
        return [scores[model] for scores in attack.scores(given)]
    fitted = attack.fit(given.leave_out(np.array([model]), given.members.size))
    return [fitted.scores(given, np.array([model]), setting)[0] for setting in range(len(fitted.labelled_scores))]


@every_attack
def test_the_observations_stay_as_they_were(attack):
    given, again = trained(1.0, records=90, models=5), trained(1.0, records=90, models=5)
    list(attack.scores(given))
    for field in dataclasses.fields(Signals):
        assert (getattr(given.signals, field.name) == getattr(again.signals, field.name)).all()
    assert (given.members == again.members).all()
