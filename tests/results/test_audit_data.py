import json
import math

import pytest
from audits import LEAK, NONE, audited, counted

from pytest_mia import gates
from pytest_mia.statistics.counts import Interval

KEYS = {
    "test", "kind", "metric", "threshold", "verdict", "reasons", "advantage", "attack", "attacks", "shadows", "models",
    "records", "accuracy", "slices", "most_exposed", "seed", "device", "seconds", "classes", "roc", "histogram",
    "message", "next_steps", "replay",
}  # fmt: skip
"""What the report promises."""


class TestInterval:
    def test_in_words(self):
        assert str(Interval(0.1234, -0.02, 0.2, 0.95)) == "0.123 (-0.020 to 0.200 at 95% confidence)"
        assert str(Interval(0, 0, 0, 0.999)) == "0.000 (0.000 to 0.000 at 99.9% confidence)"

    def test_an_upper_bound_that_does_not_exist(self):
        assert Interval(1.0, 1.0, math.inf, 0.9).to_dict() == {
            "estimate": 1.0,
            "low": 1.0,
            "high": None,
            "confidence": 0.9,
        }


class TestReport:
    result = audited(LEAK, NONE, slices={("sex", "f"): counted(0.5, 0.4)}, notes=("a note",), replay="pytest x")

    def test_it_has_all_that_is_promised(self):
        assert set(self.result.to_dict()) >= KEYS

    def test_a_judged_result(self):
        report = gates.membership_advantage(self.result, 0.1).to_dict()
        assert (report["verdict"], report["threshold"], report["metric"]) == ("leak", 0.1, "membership_advantage")
        assert report["advantage"] == self.result.advantage.to_dict()
        assert report["judged"] == report["advantage"]
        assert [attack["name"] for attack in report["attacks"]] == ["loss", "other1"]
        assert set(report["attacks"][0]) == {"name", "advantage", "auc", "tpr_at_fpr"}
        assert set(report["attacks"][0]["tpr_at_fpr"]) == {"0.001", "0.01", "0.1"}
        assert report["accuracy"] == {"train": 0.95, "test": 0.8}
        assert report["slices"][0] == {
            "by": "sex",
            "value": "f",
            "records": 4000,
            "advantage": self.result.slices[0].advantage.to_dict(),
            "verdict": None,
            "needed": None,
        }
        nothing = {"right": 0, "models": 0}
        first = {"record": 17, "exposure": 0.9, "as_member": nothing, "as_nonmember": nothing}
        assert report["most_exposed"][0] == first
        assert report["seconds"] == {"training": 12.34, "attacks": 0.56}

    @pytest.mark.parametrize(
        "judged",
        [
            result,
            gates.membership_advantage(result, 0.1, by="sex"),
            gates.tpr(result, 0.1),
            gates.epsilon(result, 0.1),
            gates.membership_advantage(audited(findings=("all alike",)), 0.1),
        ],
    )
    def test_it_is_strict_json(self, judged):
        report = judged.to_dict()
        assert json.loads(json.dumps(report, allow_nan=False)) == report

    def test_what_was_not_judged_has_no_verdict(self):
        report = self.result.to_dict()
        assert (report["verdict"], report["threshold"], report["reasons"]) == (None, None, [])
        assert report["judged"] == report["advantage"]

    def test_its_text_shows_no_message(self):
        assert "message" not in repr(gates.membership_advantage(self.result, 0.1))
