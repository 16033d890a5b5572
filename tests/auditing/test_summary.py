import dataclasses

import numpy as np
import pytest
from worlds import answering, confident, released, trained

from pytest_mia.attacks.registry import ATTACKS
from pytest_mia.attacks.threshold import GAP, LOSS, MODIFIED_ENTROPY
from pytest_mia.auditing import summary
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.core.settings import Settings
from pytest_mia.models.answers import Labels
from pytest_mia.models.signals import Signals
from pytest_mia.results.values import Tally
from pytest_mia.statistics.counts import Counts
from pytest_mia.statistics.error_budget import levels, other_interval, selected_interval

LOSS, MODIFIED_ENTROPY, GAP = (
    LOSS,
    MODIFIED_ENTROPY,
    GAP,
)


def context(given, **changes):
    made = AuditDesign(
        kind="recipe",
        audited=len(given.labels),
        shadows=len(given.members) - 1,
        models=len(given.members),
    )
    return dataclasses.replace(made, **changes)


def find(given, fitting, **changes):
    return summary.summarise(fitting, given, context(given, **changes), Settings())


def marked(share, *, models=6, records=100, seed=0):
    """Signals that are 1 for a share of the members and 0 otherwise, and memberships of exact halves."""
    rng = np.random.default_rng(seed)
    members = np.stack([rng.permutation(np.arange(records) < records // 2) for _ in range(models)])
    values = np.zeros((models, records))
    for row, mask in zip(values, members, strict=True):
        row[np.flatnonzero(mask)[: round(share * records / 2)]] = 1
    return values, members


class TestAdvantage:
    def test_of_a_known_world(self):
        values, members = marked(0.4)
        result = find(confident(values, members), [LOSS])
        counts = Counts((20,) * 6, (50,) * 6, (0,) * 6, (50,) * 6)
        assert result.selected == counts
        assert result.advantage == selected_interval(counts, levels(0.95, attacks=1))
        assert result.advantage.estimate == pytest.approx(0.4)
        assert result.attacks[0].auc == pytest.approx(0.5 + 0.4 / 2)

    def test_the_gap_is_train_accuracy_minus_test_accuracy(self):
        rng = np.random.default_rng(0)
        labels = np.arange(200) % 2
        members = np.stack([rng.permutation(labels.astype(bool)) for _ in range(4)])
        right = rng.random((4, 200)) < np.where(members, 0.95, 0.7)
        given = answering([Labels(np.where(row, labels, 1 - labels)) for row in right], members, labels)
        result = find(given, [GAP])
        assert result.accuracy.train == right[members].mean()
        assert result.accuracy.test == right[~members].mean()
        assert result.advantage.estimate == pytest.approx(result.accuracy.train - result.accuracy.test)

    def test_swapping_members_and_non_members_of_a_threshold_negates_it(self):
        """What was learnt is kept, so only the roles of those who are judged are swapped."""
        rng = np.random.default_rng(0)
        members = rng.random((5, 200)) < 0.5
        phi = rng.normal(size=(5, 200)) + members
        given = released(Signals(confidence=phi), members)
        swapped = members.copy()
        swapped[-1] = ~swapped[-1]
        plain = find(given, [LOSS], kind="release").advantage
        mirrored = find(dataclasses.replace(given, members=swapped), [LOSS], kind="release").advantage
        assert (mirrored.estimate, mirrored.low, mirrored.high) == pytest.approx(
            (-plain.estimate, -plain.high, -plain.low)
        )


def weak_and_strong():
    """The loss tells 0.2 of the members, the modified entropy 0.6."""
    weak, members = marked(0.2)
    strong, _ = marked(0.6)
    given = confident(weak, members)
    return dataclasses.replace(given, signals=dataclasses.replace(given.signals, modified_entropy=strong))


class TestChoice:
    def test_the_best_on_the_shadows_is_selected(self):
        result = find(weak_and_strong(), [LOSS, MODIFIED_ENTROPY])
        assert result.attack == "modified_entropy"
        assert result.advantage.estimate == pytest.approx(0.6)
        assert [attack.name for attack in result.attacks] == ["modified_entropy", "loss"]

    def test_other_attacks_have_their_lower_bound_corrected(self):
        result = find(weak_and_strong(), [LOSS, MODIFIED_ENTROPY])
        shared = levels(0.95, attacks=2)
        assert result.advantage == selected_interval(result.selected, shared)
        for attack in result.attacks:
            assert attack.advantage == other_interval(attack.counts, shared)
        assert result.attacks[0].advantage.low < result.advantage.low

    def test_looks_share_the_error(self):
        few = find(weak_and_strong(), [LOSS], looks=4)
        assert few.looks == 4
        assert few.advantage == selected_interval(few.selected, levels(0.95, attacks=1, looks=4))

    def test_the_attack_of_a_tail_is_chosen_for_that_tail(self):
        """On 1% of the members the loss is certain; the other signal tells 60%, but never without false positives."""
        values, members = marked(0.02, records=2000)
        other = np.random.default_rng(1).random(members.shape) < np.where(members, 0.8, 0.2)
        given = confident(values, members)
        given = dataclasses.replace(
            given, signals=dataclasses.replace(given.signals, modified_entropy=other.astype(float))
        )
        result = find(given, [LOSS, MODIFIED_ENTROPY])
        assert result.attack == "modified_entropy"
        assert result.tails["0.001"].attack == "loss"
        assert result.tails["0.001"].counts == Counts((20,) * 6, (1000,) * 6, (0,) * 6, (1000,) * 6)


class TestTails:
    def test_rates_that_the_data_can_resolve(self):
        """6 x 50 non-members: 10 expected false positives at 0.1 only."""
        values, members = marked(0.4)
        result = find(confident(values, members), [LOSS])
        assert result.attacks[0].tpr_at_fpr == {"0.001": None, "0.01": None, "0.1": pytest.approx(0.4)}
        assert set(result.tails) == {"0.001", "0.01", "0.1"}


class TestSlices:
    def test_each_value_is_counted_by_itself(self):
        values, members = marked(0.4)
        half = np.arange(100) < 50
        values[:, ~half] = 0
        result = find(confident(values, members), [LOSS], slices={"sex": ["f"] * 50 + ["m"] * 50})
        by = {part.value: part for part in result.slices}
        assert [part.by for part in result.slices] == ["sex", "sex"]
        assert (by["f"].records, by["m"].records) == (50, 50)
        assert by["f"].counts.members == tuple(members[:, half].sum(axis=1).tolist())
        assert by["f"].counts.flagged_members == tuple(values[:, half].sum(axis=1).astype(int).tolist())
        assert by["m"].advantage.estimate == 0
        total = np.add(by["f"].counts.flagged_members, by["m"].counts.flagged_members)
        assert tuple(total.tolist()) == result.selected.flagged_members

    def test_records_that_only_the_attacker_holds_are_in_no_slice(self):
        values, members = marked(0.4)
        given = confident(values, members)
        audited = np.arange(100) < 80
        given = dataclasses.replace(given, judged=given.judged & audited)
        result = find(given, [LOSS], audited=80, slices={"all": ["yes"] * 80})
        assert result.slices[0].counts == result.selected

    def test_a_slice_has_groups_of_its_own(self):
        values, members = marked(0.4)
        groups = np.concatenate([np.arange(50), 50 + np.arange(50) // 5])
        given = dataclasses.replace(confident(values, members), groups=groups)
        result = find(given, [LOSS], slices={"half": ["one"] * 50 + ["other"] * 50})
        assert [part.counts.share for part in result.slices] == [1, 1 / 5]


class TestExposure:
    def test_records_far_apart_as_member_and_as_non_member_come_first(self):
        rng = np.random.default_rng(0)
        members = rng.random((16, 60)) < 0.5
        phi = rng.normal(size=60) + 0.01 * rng.normal(size=(16, 60))
        phi[:, [7, 41]] = np.where(members[:, [7, 41]], 9, -9)
        result = find(confident(phi, members), [LOSS])
        assert {each.record for each in result.most_exposed[:2]} == {7, 41}
        assert all(each.exposure > 0.9 for each in result.most_exposed[:2])
        assert all(abs(each.exposure) < 0.2 for each in result.most_exposed[2:])

        assert {each.as_member.right + each.as_nonmember.right for each in result.most_exposed[:2]} == {16}

    def test_how_often_a_record_was_found_out(self):
        """All four models that had it give it away; so does, wrongly, one of the two that had not."""
        values, members = np.zeros((6, 100)), np.random.default_rng(0).random((6, 100)) < 0.5
        members[:, 3] = [1, 1, 1, 1, 0, 0]
        values[:, 3] = [1, 1, 1, 1, 1, 0]
        values[members & (np.arange(100) > 95)] = 1
        found = {each.record: each for each in find(confident(values, members), [LOSS]).most_exposed}
        assert (found[3].as_member, found[3].as_nonmember) == (Tally(4, 4), Tally(1, 2))

    def test_a_person_is_named_by_his_first_record(self):
        rng = np.random.default_rng(0)
        groups = rng.permutation(60) % 20
        members = (rng.random((8, 20)) < 0.5)[:, groups]
        given = dataclasses.replace(confident(rng.normal(size=(8, 60)) + members, members), groups=groups)
        result = find(given, [LOSS])
        assert result.grouped
        assert {each.record for each in result.most_exposed} < {int(np.flatnonzero(groups == n)[0]) for n in range(20)}
        assert len({groups[each.record] for each in result.most_exposed}) == 10

    def test_a_record_that_was_always_a_member_counts_from_the_middle(self):
        members = np.random.default_rng(0).random((4, 40)) < 0.5
        members[:, 3] = True
        phi = np.zeros((4, 40))
        phi[:, 3] = 5
        (first, *_) = find(confident(phi, members), [LOSS]).most_exposed
        assert (first.record, first.exposure) == (3, pytest.approx(0.5 - 0.5 / 40))


def test_all_attacks_at_once_give_the_same_figures_each_time():
    given = trained(1.5, records=120)
    one, again = (find(given, ATTACKS) for _ in range(2))
    assert one == again
    assert len(one.attacks) == len(ATTACKS)
    assert one.advantage.low > 0
    assert one.advantage.estimate >= one.attacks[-1].advantage.estimate


def test_everything_in_a_result_is_a_built_in_type():
    result = find(trained(1.0, records=120), ATTACKS, slices={"third": [str(k % 3) for k in range(120)]})

    def leaves(value):
        if dataclasses.is_dataclass(value):
            value = [getattr(value, field.name) for field in dataclasses.fields(value)]
        if isinstance(value, dict):
            value = [*value.keys(), *value.values()]
        if isinstance(value, (list, tuple)):
            return [leaf for each in value for leaf in leaves(each)]
        return [value]

    assert {type(leaf) for leaf in leaves(result)} <= {int, float, str, bool, type(None)}


class TestPictures:
    """What a person sees of an audit, besides its figures."""

    def test_curves_are_those_of_the_selected_attack_and_of_baselines(self):
        result = find(weak_and_strong(), [LOSS, MODIFIED_ENTROPY])

        assert [curve.attack for curve in result.curves] == ["modified_entropy", "loss"]
        for curve, found in zip(result.curves, (0.6, 0.2), strict=True):
            assert curve.fpr[0] == 1 / 50
            assert curve.tpr[0] == pytest.approx(found + (1 - found) / 50)

    def test_a_baseline_that_is_selected_has_one_curve(self):
        result = find(weak_and_strong(), [LOSS])

        assert [curve.attack for curve in result.curves] == ["loss"]

    def test_the_histogram_is_that_of_the_selected_attack(self):
        histogram = find(weak_and_strong(), [LOSS, MODIFIED_ENTROPY]).histogram

        assert (histogram.attack, histogram.low, histogram.high) == ("modified_entropy", 0, 1)
        assert (histogram.members[0], histogram.members[-1]) == (6 * 20, 6 * 30)
        assert (histogram.nonmembers[0], histogram.nonmembers[-1]) == (6 * 50, 0)

    def test_classes_are_judged_like_the_values_of_a_slice(self):
        names = np.array(["ill", "well"])[np.arange(100) % 2]
        result = find(weak_and_strong(), [MODIFIED_ENTROPY], classes=names.tolist(), slices={"class": names.tolist()})

        assert result.classes == result.slices
        assert {part.value: part.records for part in result.classes} == {"ill": 50, "well": 50}

    @pytest.mark.parametrize(("classes", "shown"), [(0, 0), (100, 100), (101, 0)])
    def test_very_many_classes_are_not_shown(self, classes, shown):
        given = confident(*marked(0.2, records=202))
        names = [place % classes for place in range(202)] if classes else []

        assert len(find(given, [LOSS], classes=names).classes) == shown
