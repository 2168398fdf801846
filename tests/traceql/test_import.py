"""The package costs little until the first query is parsed."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_parser_loads_neither_the_grammar_nor_arrow() -> None:
    heavy = "{'lark', 'pyarrow', 'numpy'} & set(sys.modules)"
    code = f"import sys, vivace.traceql.parser, vivace.traceql.identifier; print({heavy})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
