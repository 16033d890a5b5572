import re

import pytest

from pytest_mia.attacks import registry
from pytest_mia.models.signals import Signals
from pytest_mia.plugin import attack_table

ROWS = {row.name: row for row in attack_table.rows()}


def test_it_has_every_attack_once():
    assert list(ROWS) == registry.known()
    assert {name for name, row in ROWS.items() if row.asked} == {attack.name for attack in registry.ON_REQUEST}


@pytest.mark.parametrize(
    ("name", "shadows", "reads", "reference"),
    [
        ("gap", 0, "labels", "Yeom et al. 2018"),
        ("rmia_online_centred", 2, "scores", "Zarifzadeh et al. 2024"),
        ("shokri", 2, "scores", "Shokri et al. 2017"),
        ("calibrated_label_noise", 2, "noisy copies", "Choquette-Choo et al. 2021"),
        ("quantile_regression", 0, "scores, records", "Bertran et al. 2023"),
        ("calibrated_gradient_norm", 2, "gradients", "Nasr et al. 2019"),
    ],
)
def test_a_row(name, shadows, reads, reference):
    row = ROWS[name]
    assert (row.shadows, row.reads, row.reference) == (shadows, reads, reference)


def test_every_signal_has_a_word():
    assert set(attack_table.WORDS) == set(Signals.__dataclass_fields__)


def test_the_text_fits_a_terminal_of_any_kind():
    text = attack_table.text()
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80
    shown = re.findall(r"^(\w+) +\d+ ", text, re.MULTILINE)
    assert shown == registry.known()
