"""Modules of a user, and code that is made from lines."""

FILES = {
    "mia_layers": "import mia_units\nfrom mia_units import WIDTH\n\ndef layer():\n    return WIDTH\n",
    "mia_units": "WIDTH = 3\nEFFECT = print\n",
    "mia_pack/__init__": "",
    "mia_pack/nets": "from . import parts\n\ndef make():\n    import mia_late\n    return parts.PART\n",
    "mia_pack/parts": "PART = 1\n",
    "mia_late": "LATE = 1\n",
    "mia_other": "OTHER = 1\n",
}


def factory_of(lines):
    namespace = {"__name__": "test_lines"}
    exec(lines, namespace)
    return namespace["factory"]
