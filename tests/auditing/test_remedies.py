"""What if: what passed is what is released, bit for bit, and nothing is chosen for free."""

import numpy as np
import pytest
from audits import LEAK, NONE, audited, counted
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from torches import needs_torch, torch
from whole import finish

import pytest_mia
from pytest_mia import Target, TorchTraining, gates, remedies
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.results.audit_data import RemedyResult
from pytest_mia.results.values import Accuracy
from pytest_mia.verdicts import message, next_steps

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 6))
Y = (X[:, 0] + RNG.normal(0, 1.5, 160) > 0).astype(int)
ATTACKS = ["gap", "loss", "lira_online", "label_noise"]
ESTIMATORS = [name for name in remedies.__all__ if name.endswith("Answers")]


def audit(factory, *, data=(X, Y), attacks=ATTACKS, what_if="off", **keywords):
    return pytest_mia.audit(factory, data, shadows=3, attacks=attacks, jobs=1, what_if=what_if, **keywords)


def figures(result):
    """Everything that attacks found."""
    return result.advantage, result.attacks, result.tails, result.accuracy, result.most_exposed


def network():
    return torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))


class TestReleasedIsMeasured:
    """The audit of each wrapper finds what was measured, to the last bit."""

    @pytest.mark.parametrize(
        "inside", [LogisticRegression, lambda: DecisionTreeClassifier(max_features=2)], ids=["linear", "random"]
    )
    def test_of_estimators(self, inside):
        measured = audit(inside, what_if="outputs").what_if
        assert [each.remedy for each in measured] == [each.line("estimator") for each in remedies.by_default(2)]
        for each in measured:
            wrap = eval(f"lambda estimator: {each.remedy}", {n: getattr(remedies, n) for n in ESTIMATORS})
            assert figures(audit(lambda wrap=wrap: wrap(inside()))) == figures(each.audit)

    def test_by_all_attacks_and_probes_that_run_by_default(self):
        """Coarse answers are probed with noisy copies, as they are where they are shipped."""
        (*_, quarters, _) = audit(LogisticRegression, attacks=None, what_if="outputs").what_if
        shipped = audit(lambda: remedies.RoundedAnswers(LogisticRegression(), step=0.25), attacks=None)
        assert "label_noise" in {each.name for each in shipped.attacks}
        assert figures(shipped) == figures(quarters.audit)

    @needs_torch
    def test_of_modules(self):
        training = TorchTraining(epochs=3)
        measured = audit(network, what_if="outputs", training=training).what_if
        for each in measured[-2:]:
            wrap = eval(f"lambda module: {each.remedy}", {n: getattr(remedies, n) for n in remedies.__all__})
            assert figures(audit(lambda wrap=wrap: wrap(network()), training=training)) == figures(each.audit)

    def test_of_ones_own_function(self):
        def predict(model, X):
            return model.predict_proba(X)[:, 1]

        def shipped(model, X):
            return remedies.Rounded(0.25)(model.predict_proba(X))

        quarters = audit(GaussianNB, what_if="outputs", predict=predict).what_if[-2]
        assert quarters.remedy == "Rounded(step=0.25)(answers)"
        assert figures(audit(GaussianNB, predict=shipped)) == figures(quarters.audit)

    @pytest.mark.parametrize("shadows", [0, 3])
    def test_of_a_release(self, shadows):
        model, half = LogisticRegression().fit(X[:80], Y[:80]), np.arange(160) < 80

        def release(model, factory, what_if="off"):
            target = Target(model, members=(X[half], Y[half]), nonmembers=(X[~half], Y[~half]))
            return pytest_mia.audit(
                factory, None, target=target, shadows=shadows, attacks=["gap", "loss"], jobs=1, what_if=what_if
            )

        label = release(model, LogisticRegression, "outputs").what_if[-1]
        shipped = remedies.LabelAnswers(LogisticRegression()).fit(X[:80], Y[:80])
        found = release(shipped, lambda: remedies.LabelAnswers(LogisticRegression()))
        assert figures(found) == figures(label.audit)

    def test_answers_that_vary_are_averaged_likewise(self):
        noise = np.random

        def predict(model, X):
            p = np.clip(model.predict_proba(X)[:, 1] + 0.1 * noise.normal(size=len(X)), 0, 1)
            return np.stack([1 - p, p], axis=1)

        def shipped(model, X):
            return remedies.Rounded(0.25)(predict(model, X))

        quarters = audit(GaussianNB, what_if="outputs", predict=predict, attacks=["loss"]).what_if[-1]
        assert figures(audit(GaussianNB, predict=shipped, attacks=["loss"])) == figures(quarters.audit)


def test_the_audit_itself_stays_as_it_is():
    assert figures(audit(LogisticRegression, what_if="outputs")) == figures(audit(LogisticRegression))


def test_a_planted_leak_is_taken_away_by_what_hides_it():
    """Answers that give members away in their third digit: whole tenths hide them, a temperature does not."""

    def train(model, X, y):
        model["members"] = {row.tobytes() for row in np.asarray(X)}

    def predict(model, X):
        inside = np.array([row.tobytes() in model["members"] for row in np.asarray(X)])
        p = np.where(X[:, 0] > 0, 0.81, 0.21) + 0.005 * inside
        return np.stack([1 - p, p], axis=1)

    result = audit(dict, what_if="outputs", training=train, predict=predict, attacks=["gap", "lira_online"])
    found = {each.remedy: each.audit.advantage.estimate for each in result.what_if}
    shown = (remedies.Tempered(2), remedies.Rounded(0.1), remedies.Rounded(0.25), remedies.Label())
    tempered, tenths, quarters, labels = (found[each.line("answers")] for each in shown)
    assert tempered > 0.95
    assert max(map(abs, (tenths, quarters, labels))) < 0.1


class TestWhatCannotBeMeasured:
    def test_labels_alone(self):
        result = audit(GaussianNB, what_if="outputs", predict=lambda model, X: model.predict(X), attacks=["gap"])
        assert result.what_if == ()
        assert any("labels alone, and no remedy makes these coarser" in note for note in result.notes)

    def test_models_without_classes(self):
        from sklearn.linear_model import Ridge

        result = audit(Ridge, data=(X, X[:, 0] + X[:, 1]), what_if="outputs", attacks=["loss"])
        assert result.what_if == ()
        assert any("measured only for models of classes" in note for note in result.notes)

    def test_attacks_that_look_at_nothing_that_is_left(self):
        result = audit(GaussianNB, what_if="outputs", attacks=["loss"])
        assert [each.remedy for each in result.what_if][-1] == "RoundedAnswers(estimator, step=0.25)"
        assert "what if: 1 of 4 proposed changes of the answers could not be measured" in " ".join(result.notes)

    def test_outputs_of_models_trained_elsewhere(self):
        from pytest_mia.auditing.run import run
        from pytest_mia.core.request import AuditRequest
        from pytest_mia.core.settings import Settings

        outputs = RNG.dirichlet(np.ones(2), (4, 160)), RNG.random((4, 160)) < 0.5, Y
        with pytest.raises(MIAUsageError, match="what_if queries the models themselves"):
            finish(run(AuditRequest(None, None, outputs=outputs), Settings(what_if="outputs")))


def test_several_attackers(tmp_path):
    attackers = {"insider": None, "other": (X[:100], Y[:100])}
    result = audit(GaussianNB, what_if="outputs", attacks=["gap", "loss"], shadow_dataset=attackers)
    assert [len(each.audit.attackers) for each in result.what_if] == [2] * len(remedies.by_default(2))
    judged = gates.membership_advantage(result, 0.9)
    assert all(each.audit.verdict == "pass" for each in judged.what_if)
    assert [each.what_if for each in judged.attackers] == [(), ()]


@pytest.mark.usefixtures("no_patches")
class TestCache:
    def test_both_are_kept(self, tmp_path):
        def run(what_if):
            return audit(GaussianNB, what_if=what_if, attacks=["gap", "loss"], cache_dir=tmp_path)

        def uses(result):
            return result.cache.hits, result.cache.misses

        first, second = run("outputs"), run("outputs")
        assert (uses(first), uses(second), uses(run("off"))) == ((0, 4), (4, 0), (4, 0))
        assert [figures(each.audit) for each in first.what_if] == [figures(each.audit) for each in second.what_if]

    def test_models_that_were_kept_without_are_asked_anew(self, tmp_path):
        plain = audit(GaussianNB, attacks=["gap"], cache_dir=tmp_path)
        again = audit(GaussianNB, attacks=["gap"], cache_dir=tmp_path, what_if="outputs")
        assert (plain.cache.misses, again.cache.misses) == (4, 4)
        assert figures(plain) == figures(again)


def remedy(name, counts, *, test=0.9, trains=False):
    return RemedyResult(name, "idea", audited(counts, accuracy=Accuracy(0.9, test)), trains)


def judged(*remedies, limit=0.1, **keywords):
    return gates.membership_advantage(audited(LEAK, what_if=remedies), limit, **keywords)


class TestJudgement:
    """A fixed order pays for the choice: from what takes most away, and never behind one that doesn't pass."""

    def verdicts(self, *counts, **keywords):
        found = judged(*(remedy(str(place), each) for place, each in enumerate(counts)), **keywords)
        return [each.audit.verdict for each in found.what_if]

    def test_all_that_pass_up_to_the_first_that_does_not(self):
        assert self.verdicts(NONE, LEAK, NONE, NONE) == ["inconclusive", "leak", "pass", "pass"]
        assert self.verdicts(NONE, NONE) == ["pass", "pass"]
        assert self.verdicts(NONE, LEAK) == ["inconclusive", "leak"]

    def test_the_reason_is_said(self):
        found = judged(remedy("fine", NONE), remedy("coarse", LEAK))
        assert found.what_if[0].audit.reasons == ("coarse changes the answers more and does not pass",)

    def test_trainings_stand_by_themselves(self):
        found = judged(remedy("answers", NONE), remedy("training", LEAK, trains=True))
        assert [each.audit.verdict for each in found.what_if] == ["pass", "leak"]

    def test_trainings_share_the_error(self):
        found = judged(remedy("answers", NONE), remedy("a", NONE, trains=True), remedy("b", NONE, trains=True))
        given = judged(*found.what_if, confidence=0.91)
        assert [each.audit.judged.confidence for each in given.what_if] == [pytest.approx(0.97)] * 3

    def test_it_is_judged_by_the_gate_that_is_asked(self):
        tail = gates.tpr(audited(LEAK, what_if=(remedy("a", NONE),)), 0.5, at_fpr=0.1)
        assert tail.what_if[0].audit.metric == "tpr_at_fpr_0.1"


class TestCheapest:
    def test_the_first_that_passes(self):
        assert judged(remedy("leaks", LEAK), remedy("first", NONE), remedy("second", NONE)).cheapest.remedy == "first"

    def test_accuracy_counts_where_it_differs(self):
        assert judged(remedy("first", NONE, test=0.8), remedy("second", NONE)).cheapest.remedy == "second"
        assert judged(remedy("first", NONE, test=0.897), remedy("second", NONE)).cheapest.remedy == "first"

    def test_none(self):
        assert judged(remedy("leaks", LEAK)).cheapest is None
        assert audited(LEAK, what_if=(remedy("a", NONE),)).cheapest is None


class TestWords:
    def test_the_message_names_it(self):
        found = judged(remedy("RoundedAnswers(estimator, step=0.25)", NONE, test=0.96))
        high = found.what_if[0].audit.judged.high
        (step,) = [each for each in next_steps.next_steps(found) if "cheapest" in each]
        assert step == (
            "ship the cheapest remedy that was measured to pass, RoundedAnswers(estimator, step=0.25): "
            f"membership advantage 0.000 (at most {high:.3f}), accuracy 0.960"
        )
        assert "what if   RoundedAnswers(estimator, step=0.25): pass, 0.000" in message.write(found)

    def test_none_passes(self):
        steps = next_steps.next_steps(judged(remedy("a", LEAK), remedy("b", counted(0.6, 0.35))))
        assert any(each.startswith("none of the 2 remedies that were measured passes") for each in steps)

    def test_where_nothing_was_measured_it_says_how(self):
        assert any("what_if='outputs' measures" in each for each in next_steps.next_steps(judged()))
        found = gates.membership_advantage(audited(LEAK, test="test_a.py::test_b"), 0.1)
        assert any("--mia-what-if measures" in each for each in next_steps.next_steps(found))

    def test_the_report_holds_it(self):
        report = judged(remedy("a", NONE, test=0.96)).to_dict()
        assert report["cheapest"] == "a"
        (row,) = report["what_if"]
        assert (row["remedy"], row["verdict"], row["trains"]) == ("a", "pass", False)
        assert row["accuracy"] == {"train": 0.9, "test": 0.96}
        assert set(row) == {
            "remedy", "idea", "trains", "verdict", "attack", "advantage", "judged", "auc", "accuracy",
        }  # fmt: skip
