"""Each wrong scenario is one clear error: where, the numbers, what to do."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from scenarios import CHAT, HEAD, chat, plan_of

from tokonomi.errors import BadPlan, NotFound, TokonomiError
from tokonomi.plans import Plan
from tokonomi.reports.words import note_text

MODELS = 'models = [{ model = "seed-001/gpt-5.1" }]'


def told(text: str) -> str:
    with pytest.raises(BadPlan) as raised:
        _ = plan_of(text).month
    return str(raised.value)


def changed(old: str, new: str) -> str:
    assert old in CHAT
    return CHAT.replace(old, new)


def with_shares(*shares: str) -> str:
    models = ", ".join(f'{{ model = "seed-001/gpt-5.1", share = "{each}" }}' for each in shares)
    return changed(MODELS, f"models = [{models}]")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            with_shares("80%", "30%"),
            (
                'bad_plan: scenario.toml:13: the shares of feature "chat" are 80% + 30% = 110.00%. '
                "Make them sum to 100%."
            ),
        ),
        (
            changed("input_tokens = 200", "input_tokens = -200"),
            "scenario.toml:11: feature[0].input_tokens: -200 is not a number of 0 or more",
        ),
        (
            changed("seed-001/gpt-5.1", "openai/gpt-4oo"),
            (
                'scenario.toml:13: feature "chat": no price source knows the model '
                '"openai/gpt-4oo". Did you mean "openai/gpt-4o"? Find one with `tokonomi'
            ),
        ),
        (
            CHAT
            + '[credits]\npackages = ["paper"]\nprimary = "seed-001/o3"\nfallback = "seed-001/o4"',
            'scenario.toml:17: credits: no price source knows the model "seed-001/o4". Did you',
        ),
        (
            CHAT + 'fallback_share = "5%"\nfallback = "nobody/knows-this-one"',
            (
                'scenario.toml:15: feature "chat": no price source knows the model '
                '"nobody/knows-this-one". Find one with'
            ),
        ),
        (
            changed("seed-001/gpt-5.1", "seed-003/sonnet"),
            (
                'scenario.toml:13: feature "chat": seed-003/standard cannot be priced: '
                "seeds:seed-003/standard has no price for output. An unknown "
            ),
        ),
        (
            changed("seed-001/gpt-5.1", "anthropic/claude-haiku-4-5") + 'batch_share = "100%"',
            (
                'scenario.toml:4: feature "chat": the model "anthropic/claude-haiku-4-5" has no '
                "price on 2026-01-30: its prices hold from 2026-10-14. Change plan.at"
            ),
        ),
        (
            CHAT + 'batch_share = "100%"',
            (
                'scenario.toml:13: feature "chat": the model "seed-001/gpt-5.1" has no price on '
                "2026-01-30: seed-001/gpt-5.1 has no standard batch price"
            ),
        ),
        (
            changed("input_tokens = 200", 'input_tokens = "200..200"'),
            "the distribution 200..200 has no mass; write the one number",
        ),
        (
            changed("input_tokens = 200", "input_tokens = { values = [] }"),
            "a distribution without recorded values has no mass",
        ),
        (
            changed("input_tokens = 200", "input_tokens = { p10 = 5 }"),
            "a distribution needs two percentiles that differ, or it has no mass",
        ),
        (
            changed("input_tokens = 200", "input_tokens = { p10 = 5, p90 = 3 }"),
            "do not rise",
        ),
        (
            changed("input_tokens = 200", 'input_tokens = "9..5..20"'),
            "9..5..20 does not rise from low to high",
        ),
        (
            changed("input_tokens = 200", 'input_tokens = "1..2..3..4"'),
            "is neither low..high nor low..most likely..high",
        ),
        (
            changed("input_tokens = 200", "input_tokens = { p10 = 5, px = 3 }"),
            "px is not a percentile",
        ),
        (
            changed("input_tokens = 200", "input_tokens = { values = [1], p10 = 3 }"),
            "recorded values stand alone",
        ),
        (changed("input_tokens = 200", "input_tokens = {}"), "without percentiles has no mass"),
        (
            changed("input_tokens = 200", 'input_tokens = "20%"'),
            "20% is a percentage, and not a number of 0 or more",
        ),
        (
            changed("input_tokens = 200", 'input_tokens = { p10 = "5%", p90 = 9 }'),
            "is a percentage, and not a number of 0 or more",
        ),
        (
            changed("input_tokens = 200", "input_tokens = 200\nshare = 80"),
            "80 is not a share from 0",
        ),
        (changed("input_tokens = 200", 'input_tokens = "many"'), "'many' is not a number"),
        (changed("input_tokens = 200", "input_tokens = true"), "true is not a number of 0 or more"),
        (changed("input_tokens = 200", "input_tokens = [1]"), "is not a number of 0 or more"),
        (
            changed("output_tokens", "ouput_tokens"),
            'scenario.toml:12: unknown key "ouput_tokens". Did you mean "output_tokens"?',
        ),
        (changed(MODELS, ""), 'feature[0] lacks "models". Add models.'),
        (
            changed("sessions_per_month = 1000", "users = 5"),
            "the volume is stated in 0 ways (none)",
        ),
        (changed("[volume]\nsessions_per_month = 1000", ""), "the volume is stated in 0 ways"),
        (
            '[[cost]]\nname = "a"\namount = 5\nper = "session"',
            'scenario.toml:8: cost "a" is per session, and the volume states no sessions. State',
        ),
        (
            '[[cost]]\nname = "a"\namount = 5\nper = "call"',
            'scenario.toml:8: cost "a" is per call, and nothing says how many calls there are.',
        ),
        (
            '[volume]\nqueries_per_day = 5\n[[revenue]]\nname = "b"\nprice = 5\nper = "call"',
            'scenario.toml:10: revenue "b" is per call, and nothing says how many calls there are.',
        ),
        (
            '[[cost]]\nname = "a"\namount = 5\n[[revenue]]\nname = "b"\nprice = 5\nper = "session"',
            'scenario.toml:11: revenue "b" is per session, and the volume states no sessions.',
        ),
        (
            changed("sessions_per_month = 1000", "sessions_per_month = 1\nqueries_per_day = 2"),
            "the volume is stated in 2 ways (sessions_per_month, queries_per_day)",
        ),
        (
            changed("sessions_per_month = 1000", "sessions_per_user = 1"),
            "sessions_per_user stands without users",
        ),
        (
            changed("sessions_per_month = 1000", "sessions_per_month = 1\nseason = [1, 2]"),
            "season has 2 factors. State twelve",
        ),
        (HEAD, "there is nothing to plan"),
        (HEAD + "]", "scenario.toml is not TOML"),
        (CHAT + CHAT.partition("\n\n")[2], 'two tables [[feature]] are called "chat"'),
        (CHAT + 'fallback_share = "5%"', "falls back on 5% of its calls, and on no model"),
        (CHAT + 'cached_share = "60%"\ncache_write_share = "60%"', "more than all of it"),
        (CHAT + 'history = "window"', 'has history = "window" and no window_turns'),
        (CHAT + 'history = "summary"', 'has history = "summary" and no summary_tokens'),
        (CHAT + "turns = 2000", "has up to 2,000 turns; 1,000 are the most"),
        (with_shares("50..60%", "40%").replace("50..60%", "50%..60%"), "may not be 100%"),
        (
            changed(MODELS, 'models = [{ model = "seed-001/o3" }, { model = "seed-001/gpt-4o" }]'),
            "leaves the share of 2 models open",
        ),
        (
            changed(
                MODELS,
                'models = [{ model = "seed-001/o3" }, { model = "seed-001/gpt-4o", share = "90%" },'
                ' { model = "seed-001/gpt-5.1", share = "20%" }]',
            ),
            "90% + 20%, more than 100%",
        ),
        (CHAT + '[[cost]]\nname = "a"', 'cost "a" is not stated in one whole way'),
        (CHAT + '[[cost]]\nname = "a"\nhours = 5', 'cost "a" is not stated in one whole way'),
        (
            CHAT + '[[cost]]\nname = "a"\npercent = "5%"\nof = ["lm"]',
            'a part of "lm", which is no cost. Did you mean "llm"?',
        ),
        (
            CHAT
            + '[[cost]]\nname = "a"\npercent = "5%"\nof = ["b"]\n'
            + '[[cost]]\nname = "b"\npercent = "5%"\nof = ["a"]',
            "costs are percentages of each other in a circle: a -> b -> a",
        ),
        (
            CHAT
            + '[[cost]]\nname = "a"\npercent = "5%"\nof = ["b", "llm"]\n'
            + '[[cost]]\nname = "b"\ncategory = "llm"\namount = 9',
            'cost "a" is a part of "b" twice: "llm" includes it. Leave out "b".',
        ),
        (CHAT + '[[cost]]\nname = "llm"\namount = 5', 'no cost can be named "llm"'),
        (CHAT + '[[cost]]\nname = "a"\namount = 5\nper = "user"', "volume.users is not stated"),
        (CHAT + '[[revenue]]\nname = "a"\nprice = 5', "volume.users is not stated"),
        (CHAT + '[[cost]]\nname = "a"\namount = 5\ncurrency = "XYZ"', 'unknown currency "XYZ"'),
        (
            CHAT + '[[cost]]\nname = "a"\namount = 5\ncurrency = "IDR"',
            "amounts in IDR stand in a plan in USD, and no rate is stated",
        ),
        (
            CHAT
            + '[[exchange]]\nbase = "USD"\nquote = "IDR"\nrate = 0\non = 2026-01-30\nsource = "s"',
            "an exchange rate of 0 USD/IDR",
        ),
        (
            CHAT + '[[correlation]]\na = "volume.users"\nb = "x"\nrank = 2',
            "a correlation of 2. It lies between -1 and 1",
        ),
        (
            CHAT + '[[measured]]\nmodel = "seed-001/o3"\ncalls = 1\nreasoning = 5',
            "have 5 reasoning tokens inside 0 output tokens",
        ),
        (
            CHAT
            + '[credits]\npackages = ["paper"]\nprimary = "seed-001/o3"\nfallback = "seed-001/o3"\n'
            + '[credits.reasoning_per_output]\n"seed-001/x" = 1',
            '"seed-001/x" has hidden tokens and is not compared',
        ),
    ],
)
def test_a_wrong_scenario_is_one_clear_error(text: str, says: str) -> None:
    assert says in told(text)


def test_scenarios_that_extend_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text('extends = "other.toml"\n')
    other.write_text('extends = "one.toml"\n')
    with pytest.raises(BadPlan, match=r"circle: one\.toml -> other\.toml -> one\.toml"):
        Plan.read(one)


def test_a_file_that_is_not_there_names_the_templates(tmp_path: Path) -> None:
    with pytest.raises(BadPlan, match="or name a template: build-or-buy, "):
        Plan.read(tmp_path / "none.toml")


def test_a_template_that_is_not_there_is_told_with_the_nearest_one() -> None:
    with pytest.raises(NotFound, match="coching") as raised:
        Plan.template("coching-app")
    assert 'Did you mean "coaching-app"?' in str(raised.value)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("volme.users", 'the scenario has no "volme". Did you mean "volume"?'),
        ("feature.chet.turns", 'nothing in the list is called "chet". Did you mean "chat"?'),
        ("feature.chat.turns.x", "is no table"),
    ],
)
def test_a_value_for_a_path_that_is_not_there_is_refused(path: str, says: str) -> None:
    with pytest.raises(TokonomiError) as raised:
        _ = chat("turns = 2").with_values({path: "3"}).scenario
    assert says in str(raised.value)


def summary_notes(plan: Plan) -> list[str]:
    return [note_text(note, "en") for note in plan.sections()["summary"].notes]


@pytest.mark.parametrize("at", ["1999-01-01", "2026-01-30"])
def test_a_price_without_a_first_day_is_told_with_the_date_that_it_is_taken_for(at: str) -> None:
    plan = plan_of(CHAT.replace("seed-001/gpt-5.1", "openai/gpt-4o"))
    notes = summary_notes(plan.with_values({"plan.at": at}))
    assert f"Undated price rows, taken as valid on {at}: openai/gpt-4o." in notes


def test_a_price_with_a_first_day_needs_no_note() -> None:
    plan = plan_of(CHAT.replace("seed-001/gpt-5.1", "openai/o3"))
    assert not any("Undated" in note for note in summary_notes(plan))


def test_prices_of_a_date_that_has_not_come_are_told_to_be_so() -> None:
    plan, said = plan_of(CHAT), "2026-01-30 lies after 2026-01-29"
    before, on = (replace(plan, today=date(2026, 1, day)) for day in (29, 30))
    assert any(said in note for note in summary_notes(before))
    assert not any("lies after" in note for note in summary_notes(on))
