"""Several attackers, who know different things, compared in one audit."""

import dataclasses
import time

import audits
import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier as Tree
from whole import finish

from pytest_mia import (
    Dataset,
    InvalidAuditError,
    MembershipLeakError,
    MIAUsageError,
    OutOfTimeError,
    Target,
    audit,
    gates,
)
from pytest_mia.auditing.run import run, train
from pytest_mia.auditing.summary import compare
from pytest_mia.cache.store import opened
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.data.records import gather
from pytest_mia.knowledge import hill_climbing, noisy, part
from pytest_mia.reports.table import rows
from pytest_mia.statistics.counts import CoinGuesses
from pytest_mia.verdicts.audit_result import AuditResult

rng = np.random.default_rng(0)
RECORDS = 200
X = rng.normal(size=(RECORDS, 4))
Y = (np.argsort(np.argsort(X[:, 0] + rng.normal(size=RECORDS))) >= RECORDS // 2).astype(int)
ORDER = np.argsort(np.argsort(Y, kind="stable") % (RECORDS // 2), kind="stable")
X, Y = X[ORDER], Y[ORDER]  # each half has as many of each class
FRESH = (rng.normal(size=(80, 4)), np.arange(80) % 2)
QUICK = {"shadows": 3, "jobs": 1, "attacks": ["gap", "loss", "lira_online", "mast"]}
TARGET = Target(Tree(random_state=0).fit(X[:100], Y[:100]), (X[:100], Y[:100]), (X[100:], Y[100:]))


class Counted(Tree):
    sizes: list[int] = []  # noqa: RUF012 - counts what all of them train on

    def fit(self, X, y):
        if len(y) > 20:  # fewer are a control of one's own class
            self.sizes.append(len(y))
        return super().fit(X, y)


def figures(result):
    return result.advantage, result.attacks, result.selected


def gathered(**parts):
    given = {"model_factory": object, "dataset": (X, Y)} | parts
    return [gather(side, seed=0) for side in AuditRequest(**given).attackers]


class TestWhatEachOfThemHolds:
    def test_a_part_of_the_audited_records_is_known_as_what_it_is(self):
        """Were it put behind the audited records, shadows would train on copies that they count as never seen."""
        (records,) = gathered(shadow_dataset=(X[50:90], Y[50:90]))
        assert len(records.data.labels) == records.audited == RECORDS
        assert np.flatnonzero(records.held).tolist() == list(range(50, 90))
        assert records.groups is None

    def test_records_of_his_own_follow(self):
        own = np.r_[X[:10], FRESH[0]], np.r_[Y[:10], FRESH[1]]
        (records,) = gathered(shadow_dataset=own)
        assert records.audited == RECORDS
        assert len(records.data.labels) == RECORDS + 80
        assert np.flatnonzero(records.held).tolist() == [*range(10), *range(RECORDS, RECORDS + 80)]

    def test_all_see_the_same_records_whoever_has_them(self):
        more = rng.normal(size=(30, 4)), np.arange(30) % 2
        both = np.r_[FRESH[0], more[0]], np.r_[FRESH[1], more[1]]
        first, second, third = gathered(shadow_dataset={"all": None, "fresh": FRESH, "both": both})
        for records in (second, third):
            np.testing.assert_array_equal(records.data.X, first.data.X)
        assert first.held.sum() == RECORDS
        assert np.flatnonzero(second.held).tolist() == list(range(RECORDS, RECORDS + 80))
        assert np.flatnonzero(third.held).tolist() == list(range(RECORDS, RECORDS + 110))

    def test_for_a_release_the_dataset_is_that_of_the_one_who_has_nothing_of_his_own(self):
        target = Target(None, (X[:40], Y[:40]), (X[40:80], Y[40:80]))
        insider, outsider = gathered(target=target, shadow_dataset={"insider": None, "outsider": FRESH})
        assert insider.held.sum() == RECORDS
        assert outsider.held.sum() == 80

    def test_records_that_can_not_be_compared_are_his_own(self):
        class UnhashableValue:
            pass

        things = [UnhashableValue() for _ in range(60)]
        (records,) = gathered(dataset=(things[:40], [0, 1] * 20), shadow_dataset=(things[20:], [0, 1] * 20))
        assert records.held.tolist() == [False] * 40 + [True] * 40

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ({"shadow_dataset": {}}, "a mapping of attackers is empty"),
            ({"shadow_dataset": {1: None}}, "attackers need names"),
            ({"shadow_factory": {"": Tree}}, "attackers need names"),
            (
                {"shadow_dataset": {"a": None, "b": None}, "shadow_factory": {"a": Tree, "c": Tree}},
                "mia_shadow_factory and mia_shadow_dataset name different attackers (b, c)",
            ),
        ],
    )
    def test_names_that_do_not_fit(self, given, problem):
        with pytest.raises(MIAUsageError) as error:
            audit(Tree, (X, Y), **given, **QUICK)
        assert str(error.value).startswith(problem)

    def test_problems_of_all_are_named_at_once_before_any_training(self):
        Counted.sizes.clear()
        with pytest.raises(MIAUsageError) as error:
            audit(
                Counted,
                (X, Y),
                shadow_dataset={"good": None, "short": (X, Y[:5]), "none": (X, None)},
                shadow_factory={"good": None, "short": [], "none": Counted},
                **QUICK,
            )
        assert [problem.split(":")[0] for problem in error.value.problems][:2] == [
            "mia_shadow_dataset 'short'",
            "mia_shadow_dataset 'none'",
        ]
        assert any(problem.startswith("mia_shadow_factory is an empty list") for problem in error.value.problems)
        assert Counted.sizes == []


class TestOneAttacker:
    def test_an_attacker_with_a_part_sees_what_his_shadows_learnt(self):
        kept = part((X, Y), 0.5)
        result = audit(Tree, (X, Y), shadow_dataset=kept, **QUICK)
        assert (result.models, result.records) == (7, RECORDS)
        assert result.advantage.low > 0.1

    def test_all_of_the_records_give_the_targets_of_the_plain_recipe(self):
        plain, told = audit(Tree, (X, Y), **QUICK), audit(Tree, (X, Y), shadow_dataset=(X, Y), **QUICK)
        assert told.accuracy == plain.accuracy
        assert (
            next(each for each in told.attacks if each.name == "gap").counts
            == next(each for each in plain.attacks if each.name == "gap").counts
        )

    def test_one_who_has_nothing_but_answers(self):
        own = hill_climbing(TARGET.model, X, 60, threshold=0.5)
        result = audit(Tree, None, target=TARGET, shadow_dataset=own, **QUICK)
        assert len(own.y) == 60
        assert result.advantage.low > 0

    @pytest.mark.parametrize("target", [None, TARGET])
    def test_guesses_divide_the_shadows(self, target):
        Counted.sizes.clear()
        audit(Tree, (X, Y), target=target, shadow_factory=[Counted, GaussianNB], **QUICK | {"shadows": 5})
        assert Counted.sizes == [100] * 3

    def test_another_guess_and_records_of_his_own_together(self):
        Counted.sizes.clear()
        result = audit(Tree, (X, Y), target=TARGET, shadow_factory=[Counted, GaussianNB], shadow_dataset=FRESH, **QUICK)
        assert Counted.sizes == [40, 40]
        assert result.advantage.low > 0


class TestSeveral:
    OWN = {"insider": None, "part": part((X, Y), 0.5), "outsider": FRESH}  # noqa: RUF012

    def test_each_has_his_own_audit_and_the_strongest_is_the_result(self):
        result = audit(Tree, (X, Y), shadow_dataset=self.OWN, **QUICK)
        assert [each.attacker for each in result.attackers] == ["insider", "part", "outsider"]
        assert [each.models for each in result.attackers] == [4, 7, 7]
        strongest = max(result.attackers, key=lambda each: each.advantage.low)
        assert figures(result) == figures(strongest)
        assert result.attacker == strongest.attacker

    def test_targets_are_trained_once_for_all(self):
        Counted.sizes.clear()
        audit(Counted, (X, Y), shadow_dataset=self.OWN, **QUICK)
        assert Counted.sizes == [100] * 4 + [50] * 3 + [40] * 3

    def test_shadows_of_a_release(self):
        Counted.sizes.clear()
        result = audit(Counted, None, target=TARGET, shadow_dataset=self.OWN, **QUICK)
        assert Counted.sizes == [100] * 3 + [50] * 3 + [40] * 3
        assert all(each.models == 4 for each in result.attackers)

    @pytest.mark.parametrize("target", [None, TARGET])
    def test_an_attacker_finds_what_he_finds_alone_at_the_level_of_so_many(self, target):
        together = audit(Tree, (X, Y), target=target, shadow_dataset=self.OWN, **QUICK)
        for each in together.attackers:
            alone = audit(Tree, (X, Y), target=target, shadow_dataset=self.OWN[each.attacker], **QUICK)
            assert each.selected == alone.selected
            assert [one.counts for one in each.attacks] == [one.counts for one in alone.attacks]
            assert (each.looks, alone.looks) == (3, 1)
            assert each.advantage.high == alone.advantage.high
            assert each.advantage.low < alone.advantage.low

    def test_factories_by_name(self):
        result = audit(Tree, (X, Y), shadow_factory={"knows": None, "guesses": GaussianNB}, **QUICK)
        assert [each.attacker for each in result.attackers] == ["knows", "guesses"]
        assert result.attackers[0].advantage.estimate > 0.1

    def test_no_shadows_no_difference(self):
        result = audit(None, None, target=TARGET, shadow_dataset=self.OWN, **QUICK | {"shadows": 0, "attacks": None})
        assert (result.attackers, result.models, result.looks) == ((), 1, 1)

    def test_shadow_models_are_those_of_all(self):
        kept = finish(train(AuditRequest(Tree, (X, Y), shadow_dataset=self.OWN), Settings(shadows=3)))
        assert len(kept) == 4 + 3 + 3
        assert [one.members.sum() for one in kept[4:]] == [50] * 3 + [40] * 3

    def test_the_cache_keeps_them_all(self, tmp_path):
        subject = AuditRequest(Tree, (X, Y), shadow_dataset=self.OWN)
        settings = Settings(shadows=3, jobs=1, attacks=("gap", "loss"))
        first, again = (finish(run(subject, settings, store=opened(tmp_path, "use", since=0.0))) for _ in range(2))
        assert (first.cache.hits, first.cache.misses) == (0, 10)
        assert (again.cache.hits, again.cache.misses) == (10, 0)
        assert [figures(each) for each in again.attackers] == [figures(each) for each in first.attackers]

    def test_the_time_limit_is_that_of_all(self):
        """The targets take all of it, so that the next attacker's shadows would begin after it."""

        class Slow(Tree):
            def fit(self, X, y):
                time.sleep(0.5)
                return super().fit(X, y)

        with pytest.raises(OutOfTimeError, match=r"^the time limit of 1\.9 s was reached after "):
            audit(Slow, (X, Y), shadow_dataset=self.OWN, **QUICK, time_limit=1.9)

    def test_early_stopping(self):
        stopped = audit(
            Tree, (X, Y), shadow_dataset=self.OWN, **QUICK | {"shadows": 15}, early_stop=True, threshold=0.05
        )
        assert len(stopped.attackers) == 3
        with pytest.raises(MembershipLeakError):
            stopped.assert_membership_advantage_below(0.05)

    def test_nothing_leaks_to_anyone(self):
        features = rng.normal(size=(1000, 3))
        labels = (features[:, 0] + rng.normal(size=1000) > 0).astype(int)
        own = {"insider": None, "noisy": noisy((features, labels), 0.2), "part": part((features, labels), 0.3)}
        result = audit(GaussianNB, (features, labels), shadow_dataset=own, **QUICK)
        judged = result.assert_membership_advantage_below(0.2)
        assert [each.verdict for each in judged.attackers] == ["pass"] * 3


def of(name, tpr, fpr, **changes):
    """An attacker who reaches so much."""
    return audits.audited(audits.counted(tpr, fpr), looks=3, attacker=name, **changes)


class TestTheGate:
    def judged(self, *attackers, limit=0.1):
        return gates.membership_advantage(compare(attackers), limit)

    def test_a_leak_to_one_is_a_leak(self):
        judged = self.judged(of("weak", 0.5, 0.5), of("strong", 0.7, 0.3), of("weaker", 0.5, 0.52))
        assert (judged.verdict, judged.attacker) == ("leak", "strong")
        assert [each.verdict for each in judged.attackers] == ["pass", "leak", "pass"]

    def test_a_pass_is_a_pass_against_all(self):
        judged = self.judged(of("weak", 0.5, 0.5), of("weaker", 0.49, 0.5))
        assert (judged.verdict, judged.attacker) == ("pass", "weak")

    def test_one_who_is_undecided_decides(self):
        judged = self.judged(of("weak", 0.5, 0.5), of("undecided", 0.55, 0.45))
        assert (judged.verdict, judged.attacker) == ("inconclusive", "undecided")

    def test_the_strongest_is_not_the_one_with_the_most_findings(self):
        broken = of("broken", 0.5, 0.5, findings=("nothing was trained",))
        assert self.judged(of("weak", 0.5, 0.5), broken).verdict == "invalid"
        assert self.judged(of("strong", 0.7, 0.3), broken).verdict == "leak"
        with pytest.raises(InvalidAuditError):
            compare([of("weak", 0.5, 0.5), broken]).assert_membership_advantage_below(0.1)

    @pytest.mark.parametrize("gate", ["tpr", "epsilon"])
    def test_other_gates_too(self, gate):
        tail = audits.counted(0.4, 0.001, records=20000)
        strong = of("strong", 0.5, 0.5, tail=tail, coins=(CoinGuesses("loss", 1000, 500, 450),))
        judge = {
            "tpr": lambda result: gates.tpr(result, 0.05, at_fpr=0.01),
            "epsilon": lambda result: gates.epsilon(result, 1.0),
        }
        judged = judge[gate](compare([of("weak", 0.5, 0.5), strong]))
        assert (judged.verdict, judged.attacker) == ("leak", "strong")
        assert judged.attackers[0].verdict == "pass" if gate == "epsilon" else judged.attackers[0].verdict != "leak"

    def test_the_message_and_the_reports_have_a_row_each(self):
        judged = dataclasses.replace(self.judged(of("weak", 0.5, 0.5), of("strong", 0.7, 0.3)), test="test_it")
        assert "against   weak: pass, loss 0.000 (" in judged.message
        assert "against   strong: leak, loss 0.400 (" in judged.message
        (whole, weak, strong) = rows(judged.to_dict())
        assert whole[:2] == ("test_it", "leak")
        assert weak[:2] == ("  against weak", "pass")
        assert strong[2:6] == (whole[2], "0.1", "loss", "0.610")
        row = judged.to_dict()["attackers"][1]
        assert (row["name"], row["verdict"], row["attack"], row["auc"]) == ("strong", "leak", "loss", 0.61)
        assert row["advantage"] == judged.advantage.to_dict()

    def test_costs_are_those_of_all(self):
        result = compare([of("weak", 0.5, 0.5), of("strong", 0.7, 0.3)])
        assert (result.seconds.training, result.seconds.attacks) == pytest.approx((24.68, 1.12))
        assert self.judged(of("weak", 0.5, 0.5), of("strong", 0.7, 0.3)).seconds == result.seconds

    def test_one_alone_has_no_rows(self):
        result = audits.audited(audits.counted(0.5, 0.5))
        assert isinstance(result, AuditResult)
        assert result.to_dict()["attackers"] == []
        assert len(rows(result.to_dict())) == 1


def test_slices_hold_against_every_attacker():
    data = Dataset(X, Y, slices={"sex": np.where(np.arange(RECORDS) % 2, "f", "m")})
    result = audit(Tree, data, shadow_dataset={"insider": None, "outsider": FRESH}, **QUICK)
    with pytest.raises(MembershipLeakError):
        result.assert_membership_advantage_below(0.05, by="sex")
