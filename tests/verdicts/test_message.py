import dataclasses

import pytest
from audits import LEAK, RATES, audited, counted

from pytest_mia import gates
from pytest_mia.results.values import Accuracy
from pytest_mia.statistics.counts import CoinGuesses, Interval
from pytest_mia.verdicts import message, next_steps


def judged(limit=0.1, selected=LEAK, *others, **changes):
    return gates.membership_advantage(audited(selected, *others, **changes), limit)


def details(result):
    """Entries of a message by name, wrapped lines joined again."""
    found, name = {}, ""
    for line in message.write(result).splitlines()[1:]:
        name = line[2:12].strip() or name
        found.setdefault(name, []).append(line[12:])
    return {name: " ".join(texts) for name, texts in found.items()}


ABOVE, BELOW = 0.178, 0.2225
"""Limits that the advantage 0.2 seems to be above, and below, without lying near them."""


class TestFirstLine:
    """The number, its interval and the limit, and in words what they mean."""

    @pytest.mark.parametrize(
        ("limit", "end"),
        [
            (0.1, "is above the limit 0.1: the model leaks who was in its training data"),
            (0.2, "is neither clearly below nor clearly above the limit 0.2: the data can't decide"),
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
        assert message.write(result).splitlines()[0] == start + end

    def test_of_an_audit_that_is_invalid(self):
        line = message.first_line(judged(0.3, findings=("all alike",)))
        assert line.endswith("can't be compared with the limit 0.3: the data can't answer the question")

    def test_of_the_tail(self):
        line = message.first_line(gates.tpr(audited(tail=counted(0.05, 0, records=5000)), 0.01))
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
        assert message.first_line(result) == f"measured epsilon of at least 1.630 (95% confidence) {relation}"


class TestDetails:
    def test_what_was_found_and_how(self):
        assert details(judged()) == {
            "because": f"the selected attack loss reaches {judged().advantage}",
            "attack": "loss, selected on the shadows from 1 attack: AUC 0.610, TPR 0.250 at 1.0% FPR, TPR 0.250 at "
            "0.1% FPR",
            "accuracy": "train 0.950, test 0.800",
            "audited": "recipe of 2,000 records, 4 models, 3 shadows per target, device cpu, 12.3 s training and 0.6 s "
            "attacks, seed 0",
            "power": "with 80% power, an advantage of 0.143 is called a leak, and an advantage of 0.044 is "
            "distinguished from 0",
            "try 1": "train accuracy is 0.150 above test accuracy: regularise (weight decay, fewer epochs, larger "
            "leaves, a smaller C)",
            "try 2": "ship a model that returns less: labels alone, or probabilities rounded to quarters "
            "(what_if='outputs' measures which of pytest_mia.remedies passes)",
            "try 3": "train on more records, or leave out those that are exposed most (records 17, 4, 8)",
        }

    def test_a_tail_that_the_data_cannot_resolve(self):
        result = audited(LEAK)
        (loss,) = result.attacks
        lost = {**dict.fromkeys(RATES), "0.1": 0.5}
        result = dataclasses.replace(result, attacks=(dataclasses.replace(loss, tpr_at_fpr=lost),))
        text = details(gates.membership_advantage(result, 0.1))["attack"]
        assert "TPR at 1.0% FPR not measurable (needs 1,000 non-members, there are 4,000)" in text
        assert "TPR at 0.1% FPR not measurable (needs 10,000 non-members, there are 4,000)" in text

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
        assert len(next_steps.next_steps(result)) == 3
        assert [name for name in details(result) if name.startswith("try")] == ["try 1", "try 2", "try 3"]

    def test_more_shadows_are_advised_only_where_they_are_targets_too(self):
        assert "--mia-shadows=7" in details(judged(BELOW))["try 2"]
        assert "--mia-shadows" not in str(details(judged(BELOW, kind="release")))

    def test_more_records_come_first_only_where_they_may_decide_for_a_pass(self):
        above, below = (details(judged(limit)) for limit in (ABOVE, BELOW))
        assert [above["try 1"], above["try 3"]] == [below["try 3"], below["try 1"]]
        assert below["try 1"].startswith("more records")
        assert above["try 1"].startswith("a model that leaks less")

    @pytest.mark.parametrize("kind", ["recipe", "release"])
    @pytest.mark.parametrize("limit", [0.199, 0.2, 0.201])
    def test_where_no_number_of_records_decides_none_is_advised(self, kind, limit):
        found = details(judged(limit, kind=kind))
        assert f"lies too near the limit {limit:g} for more records to decide" in found["because"]
        assert "more records" not in found["try 1"] + found["try 2"] + found["try 3"]
        assert found["try 1"].startswith("a model that leaks less")

    def test_an_attacker_is_shown_with_the_interval_that_was_judged(self):
        weak = dataclasses.replace(judged(), attacker="weak", judged=Interval(0.123, 0.1, 0.2, 0.95))
        shown = details(dataclasses.replace(judged(), attackers=(weak,)))["against"]
        assert shown.startswith("weak: leak, loss 0.123 (0.100 to 0.200")

    def test_notes_and_the_command_that_repeats_it(self):
        command = "pytest tests/test_privacy.py::test_release " + " ".join(f"--mia-option-{n}=1" for n in range(20))
        result = judged(notes=("one", "two"), replay=command)
        assert details(result)["note"] == "one two"
        assert message.write(result).splitlines()[-1] == "  replay    " + command

    def test_long_lines_are_wrapped_and_nothing_is_lost(self):
        result = judged(0.3, findings=("a very-long-word " * 20,))
        assert max(map(len, message.write(result).splitlines()[1:])) <= message.WIDTH
        assert details(result)["because"] == ("a very-long-word " * 20).strip()
