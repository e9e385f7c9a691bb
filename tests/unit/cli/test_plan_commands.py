"""`tokonomi plan` and its commands as a person types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from tokonomi.cli import main
from tokonomi.cli.plan_diff import plan_diff
from tokonomi.cli.plan_levers import required_value, sensitivity
from tokonomi.cli.plan_predict import predict

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(capfdbinary: pytest.CaptureFixture[bytes]) -> Typed:
    """Types a command: its exit code, what is printed, what is said."""

    def type_command(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["plan", *words])
        out, err = capfdbinary.readouterr()
        return cast("int", ended.value.code), out.decode(), err.decode()

    return type_command


def test_the_coaching_app_costs_what_its_document_says_and_names_what_it_leaves_out(
    typed: Typed,
) -> None:
    code, out, err = typed("--template", "coaching-app")
    assert (code, err) == (0, "")
    assert "month          1        $8.02" in out
    assert "Not included: engineering, infrastructure, monitoring" in out


def test_a_plan_over_its_limit_exits_with_four_after_printing(typed: Typed) -> None:
    code, out, err = typed("--template", "coaching-app", "--fail-over", "$8.01")
    assert code == 4
    assert "$8.02" in out
    assert err == "$8.02 a month is $0.01 over $8.01.\n"


def test_a_plan_within_its_limit_exits_with_none(typed: Typed) -> None:
    assert typed("--template", "coaching-app", "--fail-over", "8.02")[0] == 0


def test_a_difference_over_its_limit_exits_with_four_after_printing(typed: Typed) -> None:
    words = ("diff", "content-pipeline-priced", "content-pipeline")
    code, out, err = typed(*words, "--fail-over", "$3,000")
    assert code == 4
    assert "| month | $3,360.00 | $6,600.00 | +$3,240.00 | +96.4% |" in out
    assert err == "A month costs $3,240.00 more, which is over $3,000.00.\n"
    assert typed(*words, "--fail-over", "$3,240")[0] == 0
    assert typed(*words)[0] == 0


@pytest.mark.parametrize(
    "words", [("--template", "coaching-app"), ("diff", "coaching-app", "support-agent")]
)
def test_a_limit_that_is_no_amount_is_refused_before_anything_is_printed(
    typed: Typed, words: tuple[str, ...]
) -> None:
    code, out, err = typed(*words, "--fail-over", "8 EUR")
    assert (code, out) == (1, "")
    assert "EUR" in err


def test_scenarios_are_compared_in_the_forms_of_tables(typed: Typed) -> None:
    words = ("--template", "coaching-app", "--compare", "support-agent", "--format", "json")
    code, out, _ = typed(*words)
    rows = json.loads(out)["sections"]["comparison"]["rows"]
    assert (code, [row["cost"]["amount"] for row in rows]) == (0, ["8.02", "5144"])
    assert typed(*words[:-1], "csv")[1].startswith("scenario,unit,sessions,cost,")


def test_a_page_is_written_whole_to_its_file(typed: Typed, tmp_path: Path) -> None:
    path = tmp_path / "plan.html"
    code, out, _ = typed("--template", "coaching-app", "--format", "html", "--output", str(path))
    assert (code, out) == (0, "")
    assert path.read_text("utf-8").endswith("</html>\n")


def test_values_are_set_as_the_file_would_have_them(typed: Typed) -> None:
    words = ("--set", "volume.users=1000", "--set", "volume.days_per_month=31")
    code, out, _ = typed("--template", "coaching-app", *words, "--format", "csv")
    assert (code, sum(float(line.split(",")[5]) for line in out.splitlines()[1:])) == (0, 16.04)


def test_templates_and_the_schema_are_listed(typed: Typed) -> None:
    assert "paper-credits" in typed("templates", "--format", "csv")[1]
    assert json.loads(typed("schema")[1])["title"] == "A plan of Tokonomi"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name one scenario: a file, or a template"),
        (("--template", "coching-app"), 'Did you mean "coaching-app"?'),
        (("--template", "coaching-app", "--section", "modles"), 'Did you mean "models"?'),
        (("--template", "coaching-app", "--set", "volume.user=5"), 'Did you mean "users"?'),
        (("--template", "coaching-app", "--fail-over", "many"), "is not an amount in USD"),
        (
            ("--template", "paper-credits", "--fail-over", "$100"),
            """'$100' is not an amount in IDR, the currency of the plan. Write it like "Rp""",
        ),
    ],
)
def test_what_is_wrong_is_told_with_what_was_meant(
    typed: Typed, words: tuple[str, ...], says: str
) -> None:
    code, _, err = typed(*words)
    assert code in {1, 2}
    assert says in err


def test_nothing_uncertain_moves_nothing_and_the_way_on_is_told(typed: Typed) -> None:
    code, out, err = typed("sensitivity", "--template", "coaching-app")
    assert (code, out) == (1, "")
    assert '"Coaching app" has no uncertain number that moves its cost. Write one as a band' in err
    banded = ("sensitivity", "--template", "coaching-app", "--set", "volume.users=400..500..700")
    code, out, _ = typed(*banded)
    assert code == 0
    assert "volume.users   100.0%        100.0%" in out


def test_the_list_of_commands_says_what_each_does_in_its_own_words(typed: Typed) -> None:
    listed = " ".join(typed("--help")[1].replace("│", " ").split())
    for function in (plan_diff, predict, sensitivity, required_value):
        assert (function.__doc__ or "").partition("\n")[0] in listed


def test_a_file_without_calls_is_told_which_files_hold_them(typed: Typed, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("# No calls\n")
    _, _, err = typed("predict", str(page), "--calls-per-day", "100")
    assert "Give a trace (Azure CSV, Mooncake JSON lines)" in err
    assert "--format" not in err
