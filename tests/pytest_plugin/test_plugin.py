"""The plugin as someone meets it who tests models: the matrix, what is asked of whom, what a failure says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pycheck.runtimes.fake import Fault, drifting

from ..fakes import Fakes
from .conftest import Suite

pytest_plugins = ["pytester"]

Asked = Callable[[], list[dict[str, Any]]]

#: The matrix, as a user writes it.
MATRIX = """
    import pytest

    @pytest.mark.parametrize("model", ["sound.keras", "drifting.keras"])
    def test_the_model_answers_in_browsers_as_in_python(model, pycheck_runtime, pycheck_compare):
        pycheck_compare(model, "inputs.npy").assert_ok()
"""
ONE = """
    def test_one(pycheck_compare):
        pycheck_compare("sound.keras", "inputs.npy").assert_ok()
"""


@pytest.mark.real
def test_a_suite_that_does_not_use_it_notices_nothing(suite: Suite) -> None:
    result = suite(
        """
        import sys

        def test_nothing_of_weight_is_imported():
            heavy = {"numpy", "tensorflow", "keras", "playwright", "aiohttp", "pydantic", "pycheck.types"}
            assert heavy & set(sys.modules) == set()
        """,
        "--strict-markers",
    )
    result.assert_outcomes(passed=1)
    assert "pycheck" not in result.stdout.str().partition("collected")[2]


def test_a_test_runs_once_for_every_model_and_runtime(faked: Suite, asked: Asked) -> None:
    result = faked(MATRIX, "--pycheck-runtimes=chromium:cpu,chromium:webgl", "--pycheck-runtimes=firefox:wasm", "-v")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.re_match_lines([r".*\[chromium:webgl-drifting\.keras\] FAILED.*"])
    assert [call["runtimes"] for call in asked()].count(["firefox:wasm"]) == 2


def test_an_answer_that_changes_later_fails_the_test(faked: Suite, fakes: Fakes) -> None:
    fakes.break_("chromium:cpu", Fault(lambda value: value + 0.5, since=2))
    result = faked(ONE, "--pycheck-runtimes=chromium:cpu")
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r"E +error stale-state: scores on chromium:cpu: .*"])


def test_the_singular_that_people_type_first_is_the_same_option(faked: Suite, asked: Asked) -> None:
    faked(ONE, "--pycheck-runtime=chromium:cpu", "--pycheck-runtimes=firefox:wasm").assert_outcomes(passed=1)
    assert [call["runtimes"] for call in asked()] == [["chromium:cpu", "firefox:wasm"]]


def test_without_a_word_the_matrix_is_that_of_the_command_line(faked: Suite, asked: Asked) -> None:
    faked(MATRIX).assert_outcomes(passed=5, failed=1)
    assert {name for call in asked() for name in call["runtimes"]} == {
        "chromium:cpu", "chromium:webgl", "chromium:wasm",
    }  # fmt: skip


def test_the_summary_is_the_matrix_of_models_by_runtimes(faked: Suite) -> None:
    result = faked(MATRIX, "--pycheck-runtimes=chromium:cpu,chromium:webgl")
    result.stdout.re_match_lines(
        [
            r"=+ pycheck =+",
            r"model +chromium:cpu +chromium:webgl",
            r"drifting\.keras +pass \d+ % +DRIFT .*x",
            r"sound\.keras +pass \d+ % +pass \d+ %",
        ]
    )


def test_litert_is_a_column_of_the_matrix_and_a_tflite_test_runs_on_it_alone(faked: Suite, asked: Asked) -> None:
    tests = """
        import pytest

        def test_both(pycheck_runtime, pycheck_compare):
            pycheck_compare("sound.keras", "inputs.npy").assert_ok()

        @pytest.mark.pycheck(format="tflite", quantize="dynamic")
        def test_one(pycheck_runtime, pycheck_compare):
            pycheck_compare("sound.keras", "inputs.npy").assert_ok()

        @pytest.mark.pycheck(runtimes=["chromium:webgl"])
        def test_none(pycheck_runtime, pycheck_compare):
            with pytest.raises(Exception, match="TF.js loads layers or graph"):
                pycheck_compare("sound.keras", "inputs.npy", format="tflite")
    """
    result = faked(tests, "--pycheck-runtimes=chromium:webgl,chromium:litert-wasm")
    result.assert_outcomes(passed=4)
    result.stdout.re_match_lines([r"model +chromium:webgl +chromium:litert-wasm"])
    assert [call["runtimes"] for call in asked()] == [
        ["chromium:webgl"], ["chromium:litert-wasm"], ["chromium:litert-wasm"],
    ]  # fmt: skip


def test_a_failure_can_be_acted_upon(faked: Suite) -> None:
    result = faked(MATRIX, "--pycheck-runtimes=chromium:webgl", "--pycheck-report-dir=reports")
    said = [line.removeprefix("E").strip() for line in result.stdout.lines if line.startswith("E ")]
    order = [
        "AssertionError: DRIFT: chromium:webgl differs from Python by more than the tolerance",
        "Mismatched elements: at least 8 / 640 (1.25 %), beyond the limit",
        "Greatest absolute difference: 0.5 at sample 3 [",
        "error drift: drifted on chromium:webgl: RMS error 0.0884",
        "pycheck trace drifting.keras inputs.npy --runtime chromium:webgl",
        "The report is in ",
    ]
    places = [next((i for i, line in enumerate(said) if line.startswith(text)), text) for text in order]
    assert places == sorted(p for p in places if isinstance(p, int)), "\n".join(said)
    assert not any("pycheck/types/" in line or "calls.py" in line for line in result.stdout.lines)


def test_every_report_is_written_under_a_name_of_its_own(faked: Suite, pytester: pytest.Pytester) -> None:
    tests = """
        def test_two(pycheck_compare):
            pycheck_compare("sound.keras", "inputs.npy")
            pycheck_compare("nan.keras", "inputs.npy").assert_ok()
    """
    result = faked(tests, "--pycheck-report-dir=out/reports")
    files = sorted((pytester.path / "out" / "reports").iterdir())
    assert [file.suffix for file in files] == [".html", ".json", ".html", ".json"]
    verdicts = {json.loads(f.read_text())["model"]["path"]: json.loads(f.read_text())["verdict"]
                for f in files if f.suffix == ".json"}  # fmt: skip
    assert verdicts == {"sound.keras": "pass", "nan.keras": "nan_divergence"}
    # In CI pytest's own summary has the whole text once more.
    named = {line.partition("The report is in ")[2] for line in result.stdout.lines if "The report is in" in line}
    assert len(named) == 1 and all((pytester.path / file).is_file() for file in named.pop().split(" and "))


def test_without_a_directory_a_failure_says_how_to_get_the_report(faked: Suite) -> None:
    result = faked(MATRIX, "--pycheck-runtimes=chromium:webgl")
    result.stdout.fnmatch_lines(["E *--pycheck-report-dir=DIR"])


class TestPrecedence:
    def test_the_mark_goes_before_the_command_line_and_that_before_the_ini_file(
        self, faked: Suite, asked: Asked, pytester: pytest.Pytester
    ) -> None:
        pytester.makeini("[pytest]\npycheck_runtimes = chromium:cpu\n    firefox:cpu\npycheck_headed = true\n")
        tests = """
            import pytest

            def test_first(pycheck_compare):
                pycheck_compare("sound.keras", "inputs.npy")

            @pytest.mark.pycheck(runtimes=["webkit:wasm"], headed=False)
            def test_second(pycheck_compare):
                pycheck_compare("sound.keras", "inputs.npy")
        """
        faked(tests).assert_outcomes(passed=2)
        faked(tests, "--pycheck-runtimes=chromium:webgl").assert_outcomes(passed=2)
        assert [(call["runtimes"], call["headed"]) for call in asked()] == [
            (["chromium:cpu", "firefox:cpu"], True),
            (["webkit:wasm"], False),
            (["chromium:webgl"], True),
            (["webkit:wasm"], False),
        ]

    def test_the_closest_mark_goes_before_that_of_the_class_and_the_call_before_both(
        self, faked: Suite, asked: Asked
    ) -> None:
        tests = """
            import pytest

            @pytest.mark.pycheck(runtimes=["chromium:cpu"], atol=1.0)
            class TestModel:
                @pytest.mark.pycheck(atol=0.5)
                def test_it(self, pycheck_runtime, pycheck_compare):
                    pycheck_compare("sound.keras", "inputs.npy")
                    pycheck_compare("sound.keras", "inputs.npy", atol=0.25, runtimes=["chromium:wasm"])
        """
        faked(tests).assert_outcomes(passed=1)
        assert [(call["runtimes"], call["atol"]) for call in asked()] == [
            (["chromium:cpu"], 0.5),
            (["chromium:wasm"], 0.25),
        ]

    def test_below_the_ini_file_lies_pycheck_toml(self, faked: Suite, asked: Asked, pytester: pytest.Pytester) -> None:
        (pytester.path / "pycheck.toml").write_text('runtimes = ["webkit:cpu"]\natol = 0.125\n')
        faked(ONE).assert_outcomes(passed=1)
        assert [(call["runtimes"], call["atol"]) for call in asked()] == [(["webkit:cpu"], 0.125)]

    def test_a_mark_makes_the_matrix_of_its_test(self, faked: Suite, asked: Asked) -> None:
        tests = """
            import pytest

            @pytest.mark.pycheck(runtimes=["chromium:cpu", "webkit:cpu"])
            def test_it(pycheck_runtime, pycheck_trace):
                assert pycheck_runtime.kind == "cpu"
                pycheck_trace("sound.keras", "inputs.npy").assert_ok()
        """
        faked(tests, "--pycheck-runtimes=chromium:webgl").assert_outcomes(passed=2)
        assert [(call["command"], call["trace"], call["runtimes"]) for call in asked()] == [
            ("trace", True, ["chromium:cpu"]),
            ("trace", True, ["webkit:cpu"]),
        ]

    def test_a_test_may_parametrize_the_runtime_itself(self, faked: Suite, asked: Asked) -> None:
        tests = """
            import pytest

            @pytest.mark.parametrize("pycheck_runtime, model", [("firefox:cpu", "sound.keras")])
            def test_it(pycheck_runtime, model, pycheck_compare):
                pycheck_compare(model, "inputs.npy")
        """
        faked(tests).assert_outcomes(passed=1)
        assert asked()[0]["runtimes"] == ["firefox:cpu"]

    def test_the_converter_of_the_call_goes_before_that_of_the_mark_and_that_before_the_configuration(
        self, faked: Suite, asked: Asked, pytester: pytest.Pytester
    ) -> None:
        (pytester.path / "pycheck.toml").write_text('converter = "tensorflowjs"\n')
        tests = """
            import pytest

            def test_of_the_configuration(pycheck_compare):
                pycheck_compare("sound.keras", "inputs.npy").assert_ok()

            @pytest.mark.pycheck(converter="pycheck")
            def test_of_the_mark(pycheck_compare, pycheck_trace):
                pycheck_compare("sound.keras", "inputs.npy").assert_ok()
                pycheck_trace("sound.keras", "inputs.npy", converter="tensorflowjs").assert_ok()
        """
        faked(tests).assert_outcomes(passed=2)
        assert [(call["command"], call["converter"]) for call in asked()] == [
            ("compare", "tensorflowjs"),
            ("compare", "pycheck"),
            ("trace", "tensorflowjs"),
        ]


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("asked", "told"),
        [
            ('converter="tfjs"', "converter tfjs: *pycheck, tensorflowjs*"),
            ('convertor="tensorflowjs"', "*unknown option 'convertor'*"),
            ('converter="tensorflowjs", keep_float=["bn"]', "*keep_float*"),
            ('converter="tensorflowjs", tfjs_model="web"', "*tfjs_model*"),
        ],
    )
    def test_a_converter_that_cannot_be_is_an_error_of_the_call(self, faked: Suite, asked: str, told: str) -> None:
        result = faked(f'def test_it(pycheck_compare):\n    pycheck_compare("sound.keras", None, {asked})\n')
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"E *UsageError: {told}"])

    def test_an_unknown_runtime_on_the_command_line_ends_the_run_before_any_test(self, faked: Suite) -> None:
        result = faked(ONE, "--pycheck-runtimes=chrome:webgl")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*--pycheck-runtimes*unknown engine 'chrome'*chromium*"])

    def test_a_report_directory_that_cannot_be_made_does_too(self, faked: Suite, pytester: pytest.Pytester) -> None:
        (pytester.path / "file").write_text("")
        result = faked(ONE, "--pycheck-report-dir=file/reports")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*--pycheck-report-dir *file/reports: *Not a directory*"])

    def test_an_unknown_option_of_a_mark_is_named_with_the_nearest_right_one(self, faked: Suite) -> None:
        tests = """
            import pytest

            @pytest.mark.pycheck(runtime=["chromium:cpu"])
            def test_it(pycheck_runtime, pycheck_compare):
                pass
        """
        result = faked(tests)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            ["*test_it: @pytest.mark.pycheck: unknown option 'runtime'*", "Did you mean runtimes?"]
        )

    def test_an_unknown_option_of_a_call_fails_the_test_without_our_own_frames(self, faked: Suite) -> None:
        result = faked('def test_it(pycheck_compare):\n    pycheck_compare("sound.keras", None, tolerance=1)\n')
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["E *UsageError: pycheck.compare: unknown option 'tolerance'*"])
        assert not any("settings.py" in line for line in result.stdout.lines)

    @pytest.mark.parametrize("asked", ["range=(0, 1)", "samples=3", "seed=0"])
    def test_what_is_asked_of_made_inputs_is_refused_beside_given_ones(self, faked: Suite, asked: str) -> None:
        result = faked(f'def test_it(pycheck_compare):\n    pycheck_compare("sound.keras", [1.0], {asked})\n')
        result.assert_outcomes(failed=1)
        name = asked.partition("=")[0]
        result.stdout.fnmatch_lines([f"E *UsageError: {name} has no effect: *inputs*"])

    def test_an_error_of_pycheck_is_that_error(self, faked: Suite) -> None:
        tests = """
            import pycheck, pytest

            def test_raised(pycheck_compare):
                with pytest.raises(pycheck.ModelFileError, match="no model at missing"):
                    pycheck_compare("missing.keras")

            def test_failed(pycheck_compare):
                pycheck_compare("missing.keras")
        """
        result = faked(tests)
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["E *ModelFileError: There is no model at missing.keras.", "E *Check the path. *"])


class TestUnavailable:
    def test_a_runtime_that_cannot_start_fails_the_test_with_the_reason(self, faked: Suite) -> None:
        result = faked(ONE, "--pycheck-runtimes=chromium:cpu,chromium:webgpu")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["E *ERROR: chromium:webgpu did not run", "E *could not start", "E *no adapter"])

    def test_where_that_is_allowed_it_is_excused_with_a_warning_and_the_others_are_judged(
        self, faked: Suite, pytester: pytest.Pytester
    ) -> None:
        tests = """
            import pytest

            @pytest.mark.parametrize("model", ["sound.keras", "nan.keras"])
            def test_it(model, pycheck_compare):
                pycheck_compare(model, "inputs.npy").assert_ok()
        """
        asked = ("--pycheck-runtimes=chromium:webgl,chromium:webgpu", "--pycheck-allow-unavailable")
        result = faked(tests, *asked, "--pycheck-report-dir=reports")
        result.assert_outcomes(passed=1, failed=1, warnings=2)
        result.stdout.fnmatch_lines(["*skipped: chromium:webgpu*: no adapter", "sound.keras * excused"])
        (sound,) = (pytester.path / "reports").glob("*sound*.json")
        report = json.loads(sound.read_text())
        (record,) = (record for record in report["runtimes"] if record["id"] == "chromium:webgpu")
        assert (report["verdict"], record["status"], "allows" in record["excused"]) == ("pass", "unavailable", True)

    def test_a_test_that_has_no_other_is_skipped(self, faked: Suite, pytester: pytest.Pytester) -> None:
        pytester.makeini("[pytest]\npycheck_allow_unavailable = true\n")
        result = faked(MATRIX, "--pycheck-runtimes=chromium:webgpu,chromium:cpu", "-rs")
        result.assert_outcomes(passed=2, skipped=2)
        result.stdout.fnmatch_lines(["SKIPPED*chromium:webgpu*: no adapter"])


class TestBaseline:
    UPDATE = ("--pycheck-baseline=accepted.toml", "--pycheck-update-baseline", "--pycheck-runtimes=chromium:cpu")
    HOLD = ("--pycheck-baseline=accepted.toml", "--pycheck-runtimes=chromium:cpu")

    def test_what_passes_is_accepted_and_held_against_later(
        self, faked: Suite, fakes: Fakes, pytester: pytest.Pytester
    ) -> None:
        result = faked(MATRIX, *self.UPDATE)
        result.stdout.fnmatch_lines(["*accepted.toml: 2 results accepted"])
        faked(MATRIX, *self.HOLD).assert_outcomes(passed=2)
        fakes.break_("chromium:cpu", drifting(1e-6))
        result = faked(MATRIX, *self.HOLD)
        result.assert_outcomes(failed=2)
        result.stdout.re_match_lines([r"E +error baseline-worse: scores on chromium:cpu is worse than .*"])

    def test_what_fails_is_not_accepted(self, faked: Suite, pytester: pytest.Pytester) -> None:
        result = faked(MATRIX, *self.UPDATE[:2], "--pycheck-runtimes=chromium:webgl")
        result.stdout.fnmatch_lines(["*accepted.toml: 1 result accepted"])
        text = (pytester.path / "accepted.toml").read_text()
        assert "[chromium:webgl-sound.keras]" in text and "drifting" not in text

    def test_part_of_the_suite_leaves_the_rest_as_it_was(
        self, faked: Suite, fakes: Fakes, pytester: pytest.Pytester
    ) -> None:
        faked(MATRIX, *self.UPDATE)
        before = (pytester.path / "accepted.toml").read_text()
        fakes.break_("chromium:cpu", drifting(1e-6))
        faked(MATRIX, *self.UPDATE, "-k", "sound")
        after = (pytester.path / "accepted.toml").read_text()
        assert after != before
        assert [line for line in after.splitlines() if line.startswith("[")] == [
            line for line in before.splitlines() if line.startswith("[")
        ]

    @pytest.mark.exhaustive
    @pytest.mark.real
    def test_workers_of_xdist_leave_it_to_the_controller(
        self, faked_process: Suite, faked: Suite, pytester: pytest.Pytester
    ) -> None:
        result = faked_process(MATRIX, "-n", "2", *self.UPDATE)
        result.stdout.fnmatch_lines(["*accepted.toml: 2 results accepted"])
        (pytester.path / "conftest.py").unlink()
        faked(MATRIX, *self.HOLD).assert_outcomes(passed=2)

    def test_a_baseline_that_is_not_there_fails_with_the_way_out(self, faked: Suite) -> None:
        result = faked(ONE, *self.HOLD)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["E *InputError: Cannot read the baseline *accepted.toml*"])

    def test_to_update_a_file_has_to_be_named(self, faked: Suite) -> None:
        result = faked(ONE, "--pycheck-update-baseline")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*--pycheck-baseline=FILE*"])

    def test_what_cannot_be_written_is_said_and_ends_with_an_error(
        self, faked: Suite, pytester: pytest.Pytester
    ) -> None:
        (pytester.path / "accepted.toml").write_text("<<<<<<< HEAD\n")
        result = faked(ONE, *self.UPDATE)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stdout.fnmatch_lines(["The baseline is unchanged: *accepted.toml*"])


class TestBesideOthers:
    @pytest.mark.exhaustive  # test_real.py has two workers as well
    @pytest.mark.real
    def test_workers_of_xdist_share_the_work_and_the_controller_has_the_whole_matrix(
        self, faked_process: Suite, asked: Asked
    ) -> None:
        result = faked_process(MATRIX, "-n", "2", "--pycheck-runtimes=chromium:cpu,chromium:webgl")
        result.assert_outcomes(passed=3, failed=1)
        assert len({call["process"] for call in asked()}) == 2
        result.stdout.re_match_lines([r"=+ pycheck =+", r"model +chromium:cpu +chromium:webgl"])
        result.stdout.re_match_lines([r"drifting\.keras +pass \d+ % +DRIFT .*x"])
        assert result.stdout.str().count("= pycheck =") == 1

    def test_options_do_not_meet_those_of_pytest_playwright(self, faked: Suite, pytester: pytest.Pytester) -> None:
        pytester.syspathinsert()
        pytester.makepyfile(
            like_playwright="""
            def pytest_addoption(parser):
                group = parser.getgroup("playwright", "Playwright")
                group.addoption("--browser", action="append", default=[])
                for switch in ("--headed", "--full-page-screenshot"):
                    group.addoption(switch, action="store_true", default=False)
                for option in ("--browser-channel", "--slowmo", "--device", "--output", "--tracing", "--video"):
                    group.addoption(option, default=None)

            def pytest_generate_tests(metafunc):
                if "browser_name" in metafunc.fixturenames:
                    metafunc.parametrize("browser_name", metafunc.config.option.browser or ["chromium"])
            """
        )
        tests = """
            def test_page(browser_name):
                assert browser_name == "firefox"

            def test_model(pycheck_compare, browser_name):
                pycheck_compare("sound.keras", "inputs.npy").assert_ok()
        """
        result = faked(
            tests, "-p", "like_playwright", "--browser=firefox", "--headed", "--pycheck-runtimes=chromium:cpu"
        )
        result.assert_outcomes(passed=2)

    def test_the_junit_file_of_pytest_has_the_numbers(self, faked: Suite, pytester: pytest.Pytester) -> None:
        faked(ONE, "--junit-xml=junit.xml", "--pycheck-runtimes=chromium:cpu").assert_outcomes(passed=1)
        assert (
            '<property name="pycheck sound.keras chromium:cpu" value="pass '
            in (pytester.path / "junit.xml").read_text()
        )

    def test_the_browsers_are_closed_at_the_end_of_the_session(self, faked: Suite, pytester: pytest.Pytester) -> None:
        faked(MATRIX)
        assert (pytester.path / "asked.jsonl").read_text().splitlines()[-1] == '{"closed": true}'
