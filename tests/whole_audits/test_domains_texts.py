"""Whole audits of language models, and of classifiers of texts."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from torches import needs_torch, torch
from whole import assert_leaks, assert_not_accused, audit, names, other_than
from worlds import Bigrams

import pytest_mia
from pytest_mia import MIAUsageError, Target, TokenLogProbabilities, TorchTraining


class TestLanguageModels:
    @staticmethod
    def texts(records=240, tokens=20, vocabulary=60, seed=0):
        """Texts of various lengths, -1 where they have ended."""
        rng = np.random.default_rng(seed)
        texts = rng.integers(0, vocabulary, (records, tokens))
        texts[np.arange(tokens) >= rng.integers(8, tokens, records)[:, None]] = -1
        return texts, None

    def audit(self, added, predict=lambda model, X: model.tell(X), **given):
        return audit(
            lambda: Bigrams(60, added), self.texts(), training=Bigrams.learn, predict=predict, **{"shadows": 5, **given}
        )

    def test_one_that_remembers_its_texts_is_caught(self):
        result = self.audit(0.05)
        assert_leaks(result, 0.5)
        assert {"min_k", "min_k_plus", "loss", "nig_t"} <= names(result)

    @pytest.mark.parametrize("attack", ["min_k", "min_k_plus"])
    def test_by_its_least_likely_tokens_alone(self, attack):
        assert_leaks(self.audit(0.05, attacks=[attack]), 0.3)

    def test_one_that_has_read_other_texts_is_not_accused(self):
        def learn(model, texts, _labels):
            model.learn(other_than(texts).integers(0, 60, texts.shape), None)

        assert_not_accused(
            audit(lambda: Bigrams(60, 0.05), self.texts(), training=learn, predict=lambda model, X: model.tell(X))
        )

    def test_a_released_one_without_shadows(self):
        texts, _ = self.texts()
        model = Bigrams(60, 0.05)
        model.learn(texts[:120], None)
        target = Target(model, (texts[:120], None), (texts[120:], None))
        result = audit(None, None, target=target, predict=lambda model, X: model.tell(X), shadows=0)
        assert_leaks(result, 0.3)
        assert {"loss", "min_k", "min_k_plus"} <= names(result)

    def test_texts_that_are_never_told_are_invalid(self):
        def tell(model, X):
            values = model.tell(X).values
            values[[3, 9]] = np.nan
            return TokenLogProbabilities(values)

        with pytest.raises(pytest_mia.InvalidAuditError, match="NaN for every token on 2 of 240 records, first on rec"):
            self.audit(0.05, predict=tell)

    def test_anything_else_without_labels_is_refused(self):
        with pytest.raises(MIAUsageError, match=r"without labels mia_predict must give .*TokenLogProbabilities"):
            self.audit(0.05, predict=lambda model, X: model.tell(X).values)

    def test_without_a_way_to_ask_labels_are_missing(self):
        with pytest.raises(MIAUsageError, match="y is missing; give one label per record, or mia_loss or mia_predict"):
            audit(lambda: KNeighborsClassifier(1), self.texts())


class TestTexts:
    WORDS = np.array([f"word{number}" for number in range(200)])

    def texts(self, records=160):
        rng = np.random.default_rng(0)
        y = np.arange(records) % 2
        return [" ".join(self.WORDS[rng.integers(0, 190, 8) + 10 * label]) for label in y], y

    def test_a_pipeline_over_strings(self):
        result = audit(lambda: make_pipeline(TfidfVectorizer(), LogisticRegression(C=100)), self.texts())
        assert_leaks(result, 0.5)

    @needs_torch
    @pytest.mark.parametrize("bag", [True, False])
    def test_a_module_over_padded_tokens(self, bag):
        rng = np.random.default_rng(0)
        tokens = rng.integers(1, 100, (100, 12))
        tokens[np.arange(12) >= rng.integers(4, 12, 100)[:, None]] = 0

        class Mean(torch.nn.Module):
            def forward(self, embedded):
                return embedded.mean(dim=1)

        def module():
            first = (
                [torch.nn.EmbeddingBag(100, 32, padding_idx=0)]
                if bag
                else [torch.nn.Embedding(100, 32, padding_idx=0), Mean()]
            )
            return torch.nn.Sequential(*first, torch.nn.Linear(32, 2))

        result = audit(module, (tokens, np.arange(100) % 2), training=TorchTraining(epochs=40, lr=0.02), shadows=5)
        assert_leaks(result, 0.3)
