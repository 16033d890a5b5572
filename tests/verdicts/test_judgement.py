import dataclasses
import math
import re

import pytest
from audits import LEAK, LEAKS, NONE, PASS, RATES, UNDECIDED, attack, audited, counted

from pytest_mia import InconclusiveAuditError, MembershipLeakError, MIAUsageError, gates
from pytest_mia.results.values import Change
from pytest_mia.statistics import error_budget
from pytest_mia.statistics.counts import CoinGuesses, Selected
from pytest_mia.statistics.epsilon_bounds import lower_bound, pure_bound
from pytest_mia.verdicts import message

GUESSES = CoinGuesses("other1", 1000, 100, 90)
"""Most of a hundred guesses are right: an epsilon of 1.6 at least, or 2.4 by the curve of a Gaussian mechanism."""


ENOUGH = {
    "pass": r"([\d,]+) records would be enough for a pass",
    "leak": r"more records can't lead to a pass; ([\d,]+) would show a leak",
}


class TestAdvantage:
    def test_pass_when_the_upper_bound_is_below_the_limit(self):
        judged = audited(LEAK).assert_membership_advantage_below(PASS)
        assert (judged.verdict, judged.metric, judged.threshold) == ("pass", "membership_advantage", PASS)
        assert judged.judged == judged.advantage
        assert judged.reasons == ()

    def test_leak_when_the_lower_bound_is_above_it(self):
        with pytest.raises(MembershipLeakError) as error:
            audited(LEAK).assert_membership_advantage_below(LEAKS)
        assert error.value.result.verdict == "leak"
        assert str(error.value) == error.value.result.message

    def test_inconclusive_between_them(self):
        with pytest.raises(InconclusiveAuditError) as error:
            audited(LEAK).assert_membership_advantage_below(UNDECIDED)
        assert error.value.result.verdict == "inconclusive"

    @pytest.mark.parametrize("bound", ["low", "high"])
    def test_a_bound_at_the_limit_decides_nothing(self, bound):
        result = audited(LEAK)
        judged = gates.membership_advantage(result, getattr(result.advantage, bound))
        assert judged.verdict == "inconclusive"

    def test_the_result_itself_is_not_judged(self):
        result = audited(LEAK)
        result.assert_membership_advantage_below(PASS)
        assert (result.verdict, result.threshold, result.judged) == (None, None, None)

    def test_another_attack_above_the_limit_is_a_leak(self):
        judged = gates.membership_advantage(audited(NONE, LEAK), LEAKS)
        assert judged.verdict == "leak"
        assert judged.judged == judged.attacks[1].advantage
        assert judged.reasons[0].startswith("other1 is above the limit, though the selected attack loss reaches 0.000")

    def test_another_attack_that_is_undecided_does_not_stop_a_pass(self):
        assert gates.membership_advantage(audited(NONE, counted(0.53, 0.5)), LEAKS).verdict == "pass"


class TestConfidence:
    def test_more_of_it_widens_every_bound(self):
        result = audited(LEAK, LEAK)
        judged = gates.membership_advantage(result, PASS, confidence=0.999)
        assert judged.advantage.confidence == judged.judged.confidence == 0.999
        for before, after in zip(
            (result.advantage, *(each.advantage for each in result.attacks)),
            (judged.advantage, *(each.advantage for each in judged.attacks)),
            strict=True,
        ):
            assert after.low < before.low < before.high < after.high

    def test_a_verdict_may_change_with_it(self):
        result = audited(counted(0.56, 0.44))
        verdicts = [gates.membership_advantage(result, 0.1, confidence=level).verdict for level in (0.6, 0.999)]
        assert verdicts == ["leak", "inconclusive"]

    def test_the_audits_own_changes_nothing(self):
        result = audited(LEAK, LEAK)
        assert gates.membership_advantage(result, PASS, confidence=0.95) == gates.membership_advantage(result, PASS)

    def test_it_is_corrected_for_stopping_early(self):
        once, thrice = (
            gates.membership_advantage(audited(LEAK, looks=looks), PASS, confidence=0.99) for looks in (1, 3)
        )
        assert thrice.advantage.low < once.advantage.low
        assert thrice.advantage.high == once.advantage.high


class TestTpr:
    def judged(self, tail, threshold=0.01, at_fpr=0.001, **changes):
        return gates.tpr(audited(tail=tail, **changes), threshold, at_fpr=at_fpr)

    def test_pass(self):
        judged = self.judged(counted(0.002, 0.001, records=5000))
        assert (judged.verdict, judged.metric) == ("pass", "tpr_at_fpr_0.001")
        assert judged.judged.estimate == 0.002

    def test_leak(self):
        assert self.judged(counted(0.05, 0.001, records=5000)).verdict == "leak"

    def test_inconclusive(self):
        assert self.judged(counted(0.01, 0.001, records=5000)).verdict == "inconclusive"

    @pytest.mark.parametrize(("at_fpr", "needed"), [(0.001, "10,000"), (0.01, "1,000"), (0.1, "100")])
    def test_non_members_too_few_to_measure_it(self, at_fpr, needed):
        few = round(10 / at_fpr) // 4 - 1
        judged = self.judged(counted(0, 0, records=few), at_fpr=at_fpr, threshold=0.9)
        assert judged.verdict == "inconclusive"
        assert judged.reasons == (
            f"to measure the TPR at an FPR of {at_fpr:g} takes {needed} non-members, there are {4 * few:,}",
        )
        assert self.judged(counted(0, 0, records=few + 1), at_fpr=at_fpr, threshold=0.9).verdict == "pass"

    def test_the_rate_that_the_threshold_has_in_fact_is_said(self):
        for tpr in (0.002, 0.01, 0.05):
            judged = self.judged(counted(tpr, 0.0012, records=5000))
            assert "24 of 20,000 non-members were accused wrongly" in " ".join(judged.message.split())
            assert any(reason.endswith("an FPR of 0.0012 (0.0007 to 0.0019)") for reason in judged.reasons)
        assert self.judged(counted(0.002, 0.001, records=5000), findings=("all alike",)).reasons == ("all alike",)

    @pytest.mark.parametrize(("tpr", "outcome"), [(0.008, "pass"), (0.0124, "leak")])
    def test_what_would_decide(self, tpr, outcome):
        judged = self.judged(counted(tpr, 0.001, records=2500))
        assert judged.verdict == "inconclusive"
        (needed,) = [
            int(words[1].replace(",", ""))
            for reason in judged.reasons
            if (words := re.fullmatch(rf"if the TPR is {tpr:.3f}, {ENOUGH[outcome]} \(there are .*", reason))
        ]
        assert self.judged(counted(tpr, 0.001, records=needed // 2), records=needed).verdict == outcome

    def test_another_attack_above_the_limit_is_a_leak(self):
        result = audited(NONE, NONE, tail=counted(0, 0, records=5000))
        loud = attack("other1", NONE, error_budget.levels(0.95, attacks=2), counted(0.05, 0.001, records=5000))
        judged = gates.tpr(
            audited(NONE, NONE, attacks=(result.attacks[0], loud), tail=counted(0, 0, records=5000)), 0.01
        )
        assert judged.verdict == "leak"
        assert judged.reasons[0].startswith("other1 is above the limit, though the selected attack loss reaches")

    def test_the_attack_that_is_named_is_the_one_selected_for_this_rate(self):
        tails = dict.fromkeys(RATES, Selected("other1", counted(0, 0, records=5000)))
        assert gates.tpr(audited(NONE, NONE, tails=tails), 0.01).attack == "other1"

    def test_confidence(self):
        tail = counted(0.008, 0.001, records=5000)
        assert [gates.tpr(audited(tail=tail), 0.01, confidence=level).verdict for level in (0.95, 0.9999)] == [
            "pass",
            "inconclusive",
        ]

    def test_the_method_raises_the_verdict(self):
        with pytest.raises(MembershipLeakError, match=r"^TPR at FPR 0.001 0.050 \("):
            audited(tail=counted(0.05, 0.001, records=5000)).assert_tpr_below(0.01)


def guessing(*coins, **changes):
    """A result whose coins were guessed so."""
    return audited(NONE, NONE, coins=coins, **changes)


class TestEpsilon:
    def test_a_claim_that_the_guesses_refute(self):
        with pytest.raises(MembershipLeakError) as raised:
            guessing(GUESSES).assert_epsilon_below(1.0)
        words = " ".join(str(raised.value).split())
        assert words.startswith(
            "measured epsilon of at least 1.626 (95% confidence) is above the limit 1: the claimed diff"
        )
        assert "a training with epsilon 1 (delta 1e-05) can't leak that much" in words
        assert "90 of 100 guesses which records were members were right; 1,000 coins were drawn" in words
        assert "try 1 check the noise" in words

    def test_a_claim_that_they_do_not(self):
        judged = guessing(GUESSES).assert_epsilon_below(1.7)
        assert (judged.verdict, judged.metric, judged.judged.high, judged.attack) == (
            "pass",
            "epsilon",
            math.inf,
            "other1",
        )
        assert judged.judged.low == judged.judged.estimate == lower_bound(GUESSES, delta=1e-5, alpha=1 - 0.95).epsilon

    def test_no_leak_refutes_no_claim(self):
        assert guessing(CoinGuesses("loss", 1000, 100, 50)).assert_epsilon_below(1e-9).judged.low == 0

    def test_nothing_guessed_is_said(self):
        judged = guessing(CoinGuesses("loss", 1000, 0, 0)).assert_epsilon_below(1.0)
        assert "so none was made" in " ".join(judged.message.split())

    def test_a_claim_beyond_what_so_few_coins_can_show_is_said(self):
        judged = guessing(GUESSES).assert_epsilon_below(8.0)
        assert "could not refute a claim of 5.809 or more" in " ".join(judged.message.split())
        assert "could not refute" not in guessing(GUESSES).assert_epsilon_below(2.0).message

    def test_the_error_is_shared_by_all_guesses_and_looks(self):
        for looks, each in ((1, 2), (3, 4)):
            low = gates.epsilon(guessing(*(GUESSES,) * each, looks=looks), 8.0).judged.low
            assert low == lower_bound(GUESSES, delta=1e-5, alpha=(1 - 0.95) / (each * looks)).epsilon

    def test_delta_and_confidence(self):
        result = guessing(GUESSES)
        low = gates.epsilon(result, 8.0).judged.low
        assert gates.epsilon(result, 8.0, delta=0.01).judged.low < low
        assert gates.epsilon(result, 8.0, confidence=0.999).judged.low < low

    def test_what_a_gaussian_mechanism_claims_is_refuted_sooner(self):
        result = guessing(GUESSES)
        assert gates.epsilon(result, 2.0).verdict == "pass"
        assert gates.epsilon(result, 2.0, mechanism="gaussian").verdict == "leak"

    def test_half_of_it_is_shown_where_halves_have_a_fixed_size(self):
        judged = gates.epsilon(guessing(dataclasses.replace(GUESSES, swapped=True)), 1.0, delta=0)
        assert judged.judged.low == pytest.approx(pure_bound(GUESSES, alpha=1 - 0.95) / 2, abs=1e-6)
        assert "which of two records was a member" in " ".join(judged.message.split())


class TestRegression:
    def judged(self, before, after=LEAK, tolerance=0.02, **changes):
        moved = error_budget.change_interval(before, after, 0.95)
        change = Change("main", error_budget.plain_interval(before, 0.95), moved, **changes)
        return gates.regression(audited(after, change=change), tolerance=tolerance)

    def test_growth_that_is_shown_to_exceed_the_tolerance(self):
        judged = self.judged(NONE)
        assert (judged.verdict, judged.metric, judged.threshold) == ("leak", message.CHANGE, 0.02)
        assert judged.judged.low > 0.02
        assert judged.judged == judged.change.difference

    def test_growth_within_the_tolerance(self):
        judged = self.judged(NONE, tolerance=0.5)
        assert judged.verdict == "pass"
        assert len(judged.reasons) == 1

    def test_what_is_not_shown_passes_and_is_said(self):
        judged = self.judged(NONE, tolerance=error_budget.change_interval(NONE, LEAK, 0.95).low)
        assert judged.verdict == "pass"
        assert judged.message.startswith("change of the membership advantage 0.200 (")
        assert "is not shown to be above the tolerance" in judged.message
        assert judged.reasons[-1].startswith("a change of up to +0.2")

    def test_less_than_before(self):
        assert self.judged(LEAK, NONE, tolerance=0).verdict == "pass"

    def test_what_else_differs_is_among_the_reasons(self):
        assert "the two audits differ: records 1, now 2" in self.judged(NONE, remark="records 1, now 2").reasons

    def test_the_method_raises_the_verdict(self):
        moved = error_budget.change_interval(NONE, LEAK, 0.95)
        result = audited(LEAK, change=Change("main", error_budget.plain_interval(NONE, 0.95), moved))
        with pytest.raises(MembershipLeakError, match=r"above the tolerance 0\.02: the model leaks more than when"):
            result.assert_no_advantage_regression()
        with pytest.raises(MIAUsageError, match="tolerance must be a number from 0 to 1, 1 excluded, got -1"):
            result.assert_no_advantage_regression(tolerance=-1)

    def test_a_finding_makes_it_invalid(self):
        moved = error_budget.change_interval(NONE, NONE, 0.95)
        change = Change("main", error_budget.plain_interval(NONE, 0.95), moved)
        judged = gates.regression(audited(NONE, change=change, findings=("all alike",)))
        assert (judged.verdict, judged.reasons[0]) == ("invalid", "all alike")

    @pytest.mark.parametrize("change", [None, Change("main", None, None, "there is no baseline")])
    def test_nothing_to_compare_with(self, change):
        with pytest.raises(MIAUsageError, match="there is no baseline"):
            gates.regression(audited(LEAK, change=change))
