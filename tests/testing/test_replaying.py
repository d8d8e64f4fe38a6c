"""The fixture with programs that answer as recorded, differently, or not at all."""

from pathlib import Path

import pytest

from tests.testing import programs
from tests.testing.conftest import RECORDED, Project
from vudissect.conversation.text import read_conversation


class TestABackEnd:
    def test_that_answers_as_recorded_passes(self, project: Project) -> None:
        project.replay(programs.AS_RECORDED).assert_outcomes(passed=1)

    def test_that_differs_fails_with_the_field_and_the_diff(self, project: Project) -> None:
        result = project.replay(programs.OTHER_FEATURES)

        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "different #3 GET_FEATURES features: also has INDIRECT_DESC",
                "--- recorded",
                "+++ replayed",
                "-     3  B>F GET_FEATURES -> VERSION_1 ?#2?",
                "+     3  B>F GET_FEATURES -> INDIRECT_DESC VERSION_1 ?#2?",
                "boot.pcapng as front-end: 1 difference; *",
            ]
        )
        result.stdout.no_fnmatch_line("*Traceback*")
        result.stdout.no_fnmatch_line("*def test_boot*")

    def test_may_differ_where_the_mark_allows_it(self, project: Project) -> None:
        mark = 'role="front-end", allow=("GET_FEATURES.features",)'

        result = project.replay(programs.OTHER_FEATURES, "-rP", mark=mark)

        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines("allowed GET_FEATURES features*")

    def test_may_differ_where_a_policy_file_allows_it(self, project: Project) -> None:
        (project.path / "policy.toml").write_text('[policy]\nGET_FEATURES.features = "may add"\n')

        result = project.replay(programs.OTHER_FEATURES, mark='role="front-end", policy="policy.toml"')

        result.assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        ("program", "lines"),
        [
            (programs.HANGS, ["*in time*", "* was still running", "    no output"]),
            (programs.CLOSES, ["different *closed*", "*program.py*exited with status 3", "    | assertion failed"]),
            (programs.GARBAGE, ["different #3 GET_FEATURES reply: *", "* was still running"]),
            (programs.EXITS, ["*exited with status 1", "    | no such image"]),
            (programs.CRASHES_AT_THE_END, ["*was killed by signal 11*", "*no difference*"]),
        ],
        ids=["hangs", "closes", "garbage", "exits", "crashes"],
    )
    def test_that_misbehaves_fails_with_the_end_of_its_output(
        self, project: Project, temporary: Path, program: str, lines: list[str]
    ) -> None:
        result = project.replay(program, mark='role="front-end", timeout=2')

        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(lines)
        assert project.survivors == []
        assert list(temporary.iterdir()) == []

    def test_that_hangs_fails_at_the_deadline(self, project: Project) -> None:
        result = project.replay(programs.HANGS, mark='role="front-end", timeout=60, deadline=1.5')

        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*the deadline of 1.5 s for the whole replay was reached"])

    def test_that_ignores_sigterm_is_killed(self, project: Project, temporary: Path) -> None:
        project.replay(programs.IGNORES_SIGTERM).assert_outcomes(passed=1)

        assert project.survivors == []
        assert list(temporary.iterdir()) == []

    def test_that_starts_children_is_ended_with_them(self, project: Project) -> None:
        project.replay(programs.LEAVES_CHILDREN).assert_outcomes(passed=1)

        assert len(project.pids) == 3
        assert project.survivors == []

    def test_that_cannot_be_started_fails_with_one_line(self, project: Project) -> None:
        result = project.run(
            """
            import pytest

            @pytest.mark.vudissect("boot.pcapng", role="front-end")
            def test_boot(vudissect_replay):
                vudissect_replay(["./no-such-program", "{socket}"])
            """
        )

        result.stdout.fnmatch_lines("./no-such-program: cannot be started: No such file or directory")


class TestAFrontEnd:
    def test_is_waited_for(self, project: Project) -> None:
        project.replay(programs.FRONT_END, mark='role="back-end"').assert_outcomes(passed=1)

    def test_that_does_not_connect_fails(self, project: Project) -> None:
        result = project.replay(programs.FRONT_END_THAT_FAILS, mark='role="back-end"')

        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*exited with status 4", "    | no kernel"])


def test_either_may_listen(project: Project) -> None:
    back_end = programs.START + programs.CONNECT + "MORE = 0\n" + programs.ANSWER

    result = project.replay(back_end, mark='role="front-end", listen=True')

    result.assert_outcomes(passed=1)


def test_the_junit_report_has_the_difference(project: Project) -> None:
    project.replay(programs.OTHER_FEATURES, "--junitxml=report.xml")

    assert "also has INDIRECT_DESC" in (project.path / "report.xml").read_text()


class TestMisuse:
    @pytest.mark.parametrize(
        ("mark", "line"),
        [
            ('role="proxy"', "vudissect marker: role='proxy': use 'front-end' or 'back-end'"),
            ("", "vudissect marker: name the side to play: role='front-end' or 'back-end'"),
            ('role="front-end", timeot=1', "vudissect marker: unknown option 'timeot'; use role, *"),
            ('role="front-end", timeout="1"', "vudissect marker: timeout='1': use seconds"),
            ('role="front-end", deadline=0', "vudissect marker: deadline=0: use seconds"),
            ('role="front-end", timeout=float("nan")', "vudissect marker: timeout=nan: use seconds"),
            ('role="front-end", deadline=float("inf")', "vudissect marker: deadline=inf: use seconds"),
            ('role="front-end", allow="x"', "vudissect marker: allow='x': use a tuple of *"),
            ('role="front-end", allow=("GET_X.y",)', "vudissect marker: allow: *unknown message GET_X*"),
            ('role="front-end", allow=("GET_X",)', "vudissect marker: allow: *unknown message GET_X*"),
            ('role="front-end", policy="no.toml"', "vudissect marker: no.toml: No such file or directory"),
            ('role="front-end", first=9', "boot.pcapng: there are no messages to play"),
        ],
    )
    def test_of_the_marker_fails_with_one_line(self, project: Project, mark: str, line: str) -> None:
        result = project.replay(programs.AS_RECORDED, mark=mark)

        result.stdout.fnmatch_lines(line)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.no_fnmatch_line("During handling*")

    def test_a_marker_without_a_capture_fails_with_an_example(self, project: Project) -> None:
        project.write(program=programs.AS_RECORDED)

        result = project.run(
            """
            import pytest

            @pytest.mark.vudissect(role="front-end")
            def test_boot(vudissect_replay):
                vudissect_replay(["true"])
            """
        )

        result.stdout.fnmatch_lines('*name one capture: @pytest.mark.vudissect("boot.pcapng", role="front-end")')

    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            ('"disk {socket}"', "the command: give a list of words, not 'disk {socket}'"),
            ('["disk"]', "the command: write {socket} where the path of the socket belongs"),
        ],
    )
    def test_of_the_fixture_fails_with_one_line(self, project: Project, arguments: str, line: str) -> None:
        result = project.run(
            f"""
            import pytest

            @pytest.mark.vudissect("boot.pcapng", role="front-end")
            def test_boot(vudissect_replay):
                vudissect_replay({arguments})
            """
        )

        result.stdout.fnmatch_lines(line)

    def test_a_fixture_without_the_marker(self, project: Project) -> None:
        result = project.run("def test_boot(vudissect_replay): pass")

        result.stdout.fnmatch_lines("vudissect_replay: mark the test with @pytest.mark.vudissect(CAPTURE, role=...)")

    def test_a_marker_without_the_fixture(self, project: Project) -> None:
        result = project.run(
            """
            import pytest

            @pytest.mark.vudissect("boot.pcapng", role="front-end")
            def test_boot(): pass
            """
        )

        result.stdout.fnmatch_lines("vudissect marker: the test must use the fixture vudissect_replay")

    def test_a_file_that_is_not_a_capture(self, project: Project) -> None:
        project.capture.write_text("not a capture at all")

        result = project.replay(programs.AS_RECORDED)

        result.stdout.fnmatch_lines("boot.pcapng: not a pcapng capture: *")
        result.stdout.no_fnmatch_line("During handling*")

    def test_a_capture_with_a_gap(self, project: Project) -> None:
        project.capture.write_bytes(read_conversation("--- 5 messages are missing here: full\n" + RECORDED).capture())

        result = project.replay(programs.AS_RECORDED)

        result.stdout.fnmatch_lines("boot.pcapng: #1: 5 messages are missing here; incomplete=True plays what there is")


def test_the_plugin_imports_nothing_before_it_is_used(project: Project) -> None:
    project.pytester.makepyfile(
        """
        import sys

        def test_other():
            assert "vudissect.testing.plugin" in sys.modules
            assert not {"vudissect.replay", "vudissect.protocol", "vudissect.lint", "click"} & set(sys.modules)
        """
    )

    project.pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
