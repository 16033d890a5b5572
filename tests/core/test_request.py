import pytest

from pytest_mia.core.request import AuditRequest


class TestShadowFactories:
    def test_the_factory_itself_by_default(self):
        assert AuditRequest(object, None).shadow_factories == (object,)

    @pytest.mark.parametrize("guesses", [[int, str], (int, str)])
    def test_a_list_of_guesses(self, guesses):
        assert AuditRequest(object, None, shadow_factory=guesses).shadow_factories == (int, str)

    def test_one_guess(self):
        assert AuditRequest(object, None, shadow_factory=int).shadow_factories == (int,)
