import dataclasses
import math

import pytest
from audits import LEAK, NONE, RATES, audited, counted

from pytest_mia import gates, verdict
from pytest_mia.figures import Accuracy, CoinGuesses, Interval
from pytest_mia.statistics import rate_bounds, records_to_leak, records_to_pass


def judged(limit=0.1, selected=LEAK, *others, **changes):
    return gates.membership_advantage(audited(selected, *others, **changes), limit)


def details(result):
    """Entries of a message by name, wrapped lines joined again."""
    found, name = {}, ""
    for line in verdict.message(result).splitlines()[1:]:
        name = line[2:12].strip() or name
        found.setdefault(name, []).append(line[12:])
    return {name: " ".join(texts) for name, texts in found.items()}


class TestFirstLine:
    """The number, its interval and the limit, and in words what they mean."""

    @pytest.mark.parametrize(
        ("limit", "end"),
        [
            (0.1, "is above the limit 0.1: the model leaks who was in its training data"),
            (0.2, "can't be told from the limit 0.2: the data can't decide"),
            (
                0.3,
                "is below the limit 0.3: these attacks, at this strength, did not exceed it; "
                "that is no proof of privacy",
            ),
        ],
    )
    def test_of_the_advantage(self, limit, end):
        result = judged(limit)
        low, high = result.advantage.low, result.advantage.high
        start = f"membership advantage 0.200 ({low:.3f} to {high:.3f} at 95% confidence) "
        assert verdict.message(result).splitlines()[0] == start + end

    def test_of_an_audit_that_is_invalid(self):
        line = verdict.first_line(judged(0.3, findings=("all alike",)))
        assert line.endswith("can't be compared with the limit 0.3: the data can't answer the question")

    def test_of_the_tail(self):
        line = verdict.first_line(gates.tpr(audited(tail=counted(0.05, 0, records=5000)), 0.01))
        assert line.startswith("TPR at FPR 0.001 0.050 (0.0")
        assert " is above the limit 0.01: " in line

    @pytest.mark.parametrize(
        ("claimed", "relation"),
        [
            (1.0, "is above the limit 1: the claimed differential privacy is refuted"),
            (8.0, "is not above the limit 8: the claim is not refuted, which is no proof of it"),
        ],
    )
    def test_of_epsilon(self, claimed, relation):
        """The bound is 1.63082, which is never rounded up."""
        result = gates.epsilon(audited(coins=(CoinGuesses("loss", 1000, 100, 90),)), claimed, delta=0)
        assert verdict.first_line(result) == f"measured epsilon of at least 1.630 (95% confidence) {relation}"


class TestDetails:
    def test_what_was_found_and_how(self):
        assert details(judged()) == {
            "because": f"loss reaches {judged().attacks[0].advantage}",
            "attack": "loss, selected on the shadows among 1: AUC 0.610, TPR 0.250 at 1.0% FPR, TPR 0.250 at 0.1% FPR",
            "accuracy": "train 0.950, test 0.800",
            "audited": "recipe of 2,000 records, 4 models, 3 shadows per target, device cpu, 12.3 s training and 0.6 s "
            "attacks, seed 0",
            "power": "an advantage of 0.143 would have been called a leak, and one of 0.044 told from 0, with 80% "
            "power",
            "try 1": "train accuracy is 0.150 above test accuracy: regularise (weight decay, fewer epochs, larger "
            "leaves, a smaller C)",
            "try 2": "answer more coarsely, and ship it so: labels alone, or probabilities in quarters "
            "(what_if='outputs' measures which of pytest_mia.remedies passes)",
            "try 3": "train on more records, or leave out those that are exposed most (records 17, 4, 8)",
        }

    def test_a_tail_that_the_data_cannot_resolve(self):
        result = audited(LEAK)
        (loss,) = result.attacks
        lost = {**dict.fromkeys(RATES), "0.1": 0.5}
        result = dataclasses.replace(result, attacks=(dataclasses.replace(loss, tpr_at_fpr=lost),))
        text = details(gates.membership_advantage(result, 0.1))["attack"]
        assert "TPR at 1.0% FPR not measurable (1,000 non-members needed, 4,000 there)" in text
        assert "TPR at 0.1% FPR not measurable (10,000 non-members needed, 4,000 there)" in text

    @pytest.mark.parametrize("accuracy", [Accuracy(None, None), Accuracy(None, 0.8), Accuracy(0.03, None)])
    def test_losses_have_no_accuracy(self, accuracy):
        result = judged(accuracy=accuracy)
        assert "accuracy" not in details(result)
        assert details(result)["try 1"].startswith("regularise")

    def test_a_small_gap_of_accuracy_is_not_blamed(self):
        assert details(judged(accuracy=Accuracy(0.9, 0.86)))["try 1"].startswith("regularise")

    def test_a_pass_needs_no_advice(self):
        assert not [name for name in details(judged(0.3)) if name.startswith("try")]

    @pytest.mark.parametrize("kind", ["recipe", "release"])
    @pytest.mark.parametrize(("limit", "findings"), [(0.1, ()), (0.2, ()), (0.1, ("all alike",))])
    def test_anything_else_comes_with_three_things_to_try(self, kind, limit, findings):
        result = judged(limit, kind=kind, findings=findings)
        assert len(verdict.next_steps(result)) == 3
        assert [name for name in details(result) if name.startswith("try")] == ["try 1", "try 2", "try 3"]

    def test_more_shadows_are_advised_only_where_they_are_targets_too(self):
        assert "--mia-shadows=7" in details(judged(0.2))["try 2"]
        assert "--mia-shadows" not in str(details(judged(0.2, kind="release")))

    def test_more_records_come_first_only_where_they_may_decide_for_a_pass(self):
        seen = audited(LEAK).advantage.estimate
        above, below = (details(judged(limit)) for limit in (seen - 1e-3, seen + 1e-3))
        assert [above["try 1"], above["try 3"]] == [below["try 3"], below["try 1"]]
        assert below["try 1"].startswith("more records")
        assert above["try 1"].startswith("a model that leaks less")

    def test_an_attacker_is_shown_with_the_interval_that_was_judged(self):
        weak = dataclasses.replace(judged(), attacker="weak", judged=Interval(0.123, 0.1, 0.2, 0.95))
        shown = details(dataclasses.replace(judged(), attackers=(weak,)))["against"]
        assert shown.startswith("weak: leak, loss 0.123 (0.100 to 0.200")

    def test_notes_and_the_command_that_repeats_it(self):
        command = "pytest tests/test_privacy.py::test_release " + " ".join(f"--mia-option-{n}=1" for n in range(20))
        result = judged(notes=("one", "two"), replay=command)
        assert details(result)["note"] == "one two"
        assert verdict.message(result).splitlines()[-1] == "  replay    " + command

    def test_long_lines_are_wrapped_and_nothing_is_lost(self):
        result = judged(0.3, findings=("a very-long-word " * 20,))
        assert max(map(len, verdict.message(result).splitlines()[1:])) <= verdict.WIDTH
        assert details(result)["because"] == ("a very-long-word " * 20).strip()


class TestWhatWouldDecide:
    def said(self, estimate, limit=0.05, **changes):
        result, interval = audited(**changes), Interval(estimate, 0.0, 1.0, 0.95)
        (reason,) = verdict.what_would_decide(result.selected, result.records, result.kind, limit, interval)
        return reason

    def test_records_and_shadows_for_a_pass(self):
        needed = records_to_pass(0.05, targets=4, alpha=0.05, advantage=0.02, fpr=0.5)
        shadows = math.ceil(4 * needed / 500) - 1
        assert self.said(0.02, records=500) == (
            f"if the advantage is 0.020, {needed:,} records would decide for pass (there are 500), "
            f"or {shadows} shadows on these records"
        )

    def test_records_for_a_leak(self):
        needed = records_to_leak(0.05, targets=4, alpha=0.05, advantage=0.1, fpr=0.5)
        assert self.said(0.1, records=500).startswith(
            f"if the advantage is 0.100, {needed:,} records would decide for leak"
        )

    @pytest.mark.parametrize(
        ("flagged", "estimate", "fpr"),
        [(0.0, 0.0, 0.05), (0.3, 0.0, 0.3), (1.0, 0.0, 0.95), (0.9, 0.2, 0.78), (0.5, 0.92, 0.06), (0.5, 0.93, 0.01)],
    )
    def test_the_false_positive_rate_is_that_of_the_attack_where_it_leaves_room(self, flagged, estimate, fpr):
        plan = {"targets": 4, "alpha": pytest.approx(0.05), "advantage": estimate, "fpr": pytest.approx(fpr)}
        asked = []
        with pytest.MonkeyPatch.context() as patch:
            for name in ("records_to_pass", "records_to_leak"):
                patch.setattr(verdict, name, lambda limit, **given: asked.append((limit, given)) or 12345)
            said = self.said(estimate, selected=counted(flagged, flagged))
        assert "12,345 records would decide" in said
        assert asked == [(0.05, {**plan, "power": 0.8})]

    def test_a_tail_has_hardly_any_false_positives(self):
        needed = records_to_pass(0.05, targets=4, alpha=0.05, advantage=0.02, fpr=0)
        interval = Interval(0.02, 0.0, 1.0, 0.95)
        (reason,) = verdict.what_would_decide(NONE, 50, "release", 0.05, interval, fpr=0.01)
        assert reason == f"if the TPR is 0.020, {needed:,} records would decide for pass (there are 50)"

    def test_a_negative_estimate_counts_as_no_leak(self):
        assert self.said(-0.1) == self.said(0.0)

    def test_a_release_has_no_more_shadows_to_offer(self):
        assert "shadows" not in self.said(0.02, kind="release")

    def test_dependent_records_are_needed_in_larger_numbers(self):
        one, half = (
            int(self.said(0.02, selected=counted(0.5, 0.5, share=share)).split()[5].replace(",", ""))
            for share in (1, 0.5)
        )
        assert half == pytest.approx(2 * one, abs=1)

    def test_at_least_one_record_more_than_there_are(self):
        assert "1,000,001 records" in self.said(0.02, records=1_000_000)

    @pytest.mark.parametrize("estimate", [0.046, 0.05, 0.054])
    def test_near_the_limit_nothing_would(self, estimate):
        assert (
            self.said(estimate)
            == "the advantage lies so near the limit 0.05 that no affordable number of records decides"
        )

    @pytest.mark.parametrize("limit", [0.001, 0.5, 0.99, 1.0])
    @pytest.mark.parametrize("estimate", [0.0, 0.3, 0.95, 0.999, 1.0])
    @pytest.mark.parametrize("selected", [NONE, LEAK, counted(0, 0), counted(1, 1), counted(1, 0)])
    def test_every_case_has_an_answer(self, limit, estimate, selected):
        assert self.said(estimate, limit, selected=selected)


def test_a_part_that_is_undecided_is_told_the_shadows_that_would_decide():
    (part,) = audited(slices={("sex", "m"): counted(0.52, 0.5, records=250)}).slices
    (told,) = verdict.of_parts([part], "recipe", 0.05)
    (hint,) = verdict.what_would_decide(part.counts, part.records, "recipe", 0.05, part.advantage)
    assert told == f"sex=m reaches {part.advantage}: {hint}"
    assert hint.endswith("shadows on these records")


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_false_positive_rate_of_a_tail(share):
    rate, low, high = rate_bounds((20,) * 4, (1000,) * 4, alpha=0.05, share=share)
    assert verdict.flagged_nonmembers(counted(0.5, 0.02, share=share), 0.05) == (
        "80 of 4,000 non-members were accused wrongly: the threshold, learnt on the shadows, has an FPR of "
        f"{rate:.4f} ({low:.4f} to {high:.4f})"
    )
