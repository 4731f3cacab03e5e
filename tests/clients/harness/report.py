"""Runs a file of tests and tells tests/clients/run of them: a line for each, `ok`, `failed` or `skipped`, tab, its name.

What went wrong follows a failed one, indented. The name of a test is the first line of what it says about itself.
"""

import importlib.util
import pathlib
import sys
import unittest


class Report(unittest.TestResult):
    def addSuccess(self, test):
        print(f"ok\t{name(test)}", flush=True)

    def addSkip(self, test, reason):
        print(f"skipped\t{name(test)}: {reason}", flush=True)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        print(f"failed\t{name(test)}\n{indented(self.failures[-1][1])}", flush=True)

    def addError(self, test, error):
        super().addError(test, error)
        print(f"failed\t{name(test)}\n{indented(self.errors[-1][1])}", flush=True)


def name(test):
    return test.shortDescription() or str(test)


def indented(text):
    return "".join(f"    {line}\n" for line in text.splitlines()).rstrip()


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    result = unittest.defaultTestLoader.loadTestsFromModule(module).run(Report())
    sys.exit(0 if result.wasSuccessful() else 1)


main()
