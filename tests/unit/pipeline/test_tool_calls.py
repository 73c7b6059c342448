"""What the model may do in one turn: checked, written down, bounded, and never done twice."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

from sara import Contact, Options, SaraError, Tool, ToolContext
from sara.engines import Conflict, StoreUnavailable, ToolRecord
from sara.pipeline.tool_calls import LONGEST, MOST_CALLS, NOT_KNOWN, UNKNOWN, ToolCalls, TurnTools
from sara.plugins.call_guard import MAX_STUCK_CALLS_PER_PLUGIN
from sara.plugins.tool_checks import HANDOFF_TOOL, find_missing_tools, find_tool_fault, select_tools
from tests.fakes import ACCOUNT, CONVERSATION, NOW, House, without_waiting
from tests.rows import each_row

SCOPE = ToolContext(CONVERSATION, ACCOUNT, Contact("p1", "Ana"), NOW)

TIMED_OUT = f"It did not end within 10 s. {NOT_KNOWN}"


class Order(Options):
    number: int = Field(ge=1, le=99_999, description="The number of the order.")
    way: Literal["mail", "pick-up"] = "mail"


class OrderState(Tool):
    name = "order_state"
    description = "Says where an order is."
    Arguments = Order

    def __init__(self, *says: object) -> None:
        self.says = list(says) or ["It is on its way."]
        self.ran: list[tuple[Any, ToolContext]] = []

    async def run(self, arguments: Any, scope: ToolContext) -> str:
        self.ran.append((arguments, scope))
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, BaseException):
            raise said
        return said  # type: ignore[return-value]  # nobody checks a stranger's types


class Address(Options):
    street: str = Field(max_length=40)
    lines: tuple[str, ...] = ()


class MoveOrder(OrderState):
    name = "move_order"
    description = "Sends an order to another address."

    class Arguments(Options):
        address: Address
        note: str = ""


def toolbox(
    *tools: Tool, house: House | None = None, hands_over: bool = False, attempt: int = 1, scope: ToolContext = SCOPE
) -> TurnTools:
    house = house or House()
    calls = ToolCalls(house.store, {}, house.call_guard, house.problems, house.clock)
    return TurnTools(calls, tools, hands_over, attempt, scope, lambda: None)


# ── what the model is told of ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_model_is_told_of_each_tool_with_a_schema_of_its_arguments() -> None:
    [spec] = toolbox(OrderState()).specs
    assert (spec.name, spec.description) == ("order_state", "Says where an order is.")
    assert spec.parameters["required"] == ["number"]
    assert spec.parameters["additionalProperties"] is False


@pytest.mark.parametrize(("hands_over", "names"), [(True, ["handoff", "order_state"]), (False, ["order_state"])])
def test_handing_over_is_a_tool_where_the_file_says_so(hands_over: bool, names: list[str]) -> None:
    assert [spec.name for spec in toolbox(OrderState(), hands_over=hands_over).specs] == names


# ── a call ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_is_written_down_before_it_is_made_and_its_result_after() -> None:
    house, seen = House(), []

    class Curious(OrderState):
        async def run(self, arguments: Any, scope: ToolContext) -> str:
            seen.append(house.store.wrote())
            return await super().run(arguments, scope)

    tool = Curious()
    assert await toolbox(tool, house=house, attempt=3).call("order_state", '{"number": 7}') == "It is on its way."
    assert seen == [["begin_tool"]]
    written = '{"number":7,"way":"mail"}'
    assert house.store.called("begin_tool") == [(CONVERSATION, 3, "order_state", written, 1, NOW)]
    assert house.store.called("end_tool") == [(1, "It is on its way.", NOW)]
    assert tool.ran == [(Order(number=7), SCOPE)]


async def test_the_same_call_written_otherwise_is_the_same_call() -> None:
    house, tool = House(), OrderState()
    for written in ('{"number": 7}', ' {"way":"mail", "number":7} ', '{"number": "7"}'):
        assert await toolbox(tool, house=house).call("order_state", written) == "It is on its way."
    assert len(tool.ran) == 1


async def test_a_further_call_of_the_same_thing_in_one_answer_is_made() -> None:
    house, tool = House(), OrderState("first", "second")
    box = toolbox(tool, house=house)
    assert [await box.call("order_state", '{"number": 7}') for _ in range(2)] == ["first", "second"]
    assert [call[4] for call in house.store.called("begin_tool")] == [1, 2]


async def test_a_retry_of_the_turn_gets_the_results_that_were_kept_in_their_order() -> None:
    house, tool = House(), OrderState("first", "second", "third")
    for attempt in (1, 2):
        box = toolbox(tool, house=house, attempt=attempt)
        assert [await box.call("order_state", '{"number": 7}') for _ in range(2)] == ["first", "second"]
    assert len(tool.ran) == 2


async def test_what_was_begun_and_never_ended_is_not_done_again() -> None:
    house, tool = House(), OrderState()
    house.store.journal[CONVERSATION, "order_state", '{"number":7,"way":"mail"}', 1] = ToolRecord(1, None)
    assert await toolbox(tool, house=house).call("order_state", '{"number": 7}') == UNKNOWN
    assert tool.ran == []
    assert house.store.called("end_tool") == []


async def test_an_empty_result_that_was_kept_is_a_result() -> None:
    house, tool = House(), OrderState()
    house.store.journal[CONVERSATION, "order_state", '{"number":7,"way":"mail"}', 1] = ToolRecord(1, "")
    assert await toolbox(tool, house=house).call("order_state", '{"number": 7}') == ""
    assert tool.ran == []


@pytest.mark.parametrize("error", [Conflict("moved on"), StoreUnavailable("disk full")])
async def test_what_cannot_be_written_down_is_not_done(error: Exception) -> None:
    house, tool = House(), OrderState()
    house.store.fails["begin_tool"] = [error]
    with pytest.raises(type(error)):
        await toolbox(tool, house=house).call("order_state", '{"number": 7}')
    assert tool.ran == []


async def test_a_result_that_could_not_be_kept_is_not_told_and_its_call_not_repeated() -> None:
    house, tool = House(), OrderState()
    house.store.fails["end_tool"] = [StoreUnavailable()]
    with pytest.raises(StoreUnavailable):
        await toolbox(tool, house=house).call("order_state", '{"number": 7}')
    assert await toolbox(tool, house=house, attempt=2).call("order_state", '{"number": 7}') == UNKNOWN
    assert len(tool.ran) == 1


async def test_a_result_is_cut_and_holds_nothing_that_cannot_be_stored() -> None:
    house = House()
    said = await toolbox(OrderState("a\x00\ud800" + "x" * 10_000), house=house).call("order_state", '{"number": 7}')
    assert said.startswith("a\ufffdx")
    assert len(said) == LONGEST
    assert house.store.called("end_tool") == [(1, said, NOW)]


# ── calls that are wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("arguments", "said"),
    [
        ("", "number: Field required"),
        ("{}", "number: Field required"),
        ('{"number": 0}', "number: Input should be greater than or equal to 1"),
        ('{"number": 7.5}', "number: Input should be a valid integer"),
        ('{"number": [7]}', "number: Input should be a valid integer"),
        ('{"number": 7, "way": "drone"}', "way: Input should be 'mail' or 'pick-up'"),
        ("[7]", "arguments: Input should be an object"),
        ("7", "arguments: Input should be an object"),
        ("null", "number: Field required"),
        ("number=7", "Invalid JSON"),
        ('{"number": 7', "Invalid JSON"),
        ('{"number": 7} {"number": 8}', "Invalid JSON"),
        ("[" * 5_000, "Invalid JSON"),
        ('{"way": "\\ud800", "number": 7}', "Invalid JSON"),
    ],
)
async def test_the_model_is_told_what_is_wrong_with_its_arguments_and_nothing_is_done(arguments: str, said: str) -> None:
    house, tool = House(), OrderState()
    told = await toolbox(tool, house=house).call("order_state", arguments)
    assert told.startswith("The arguments are wrong, and nothing was done: ")
    assert said in told
    assert len(told) < 1_100
    assert tool.ran == []
    assert house.store.calls == []
    assert house.listed() == {}


async def test_what_is_plainly_meant_is_understood() -> None:
    rows: list[tuple[str, str, tuple[int, str]]] = [
        ("functions.order_state", '{"number": 7}', (7, "mail")),
        ("order_state<|channel|>commentary", '{"number": 7}', (7, "mail")),
        ("order_state:0", '{"number": 7}', (7, "mail")),
        ("functions.order_state:3", '{"number": 7}', (7, "mail")),
        ("default_api.order-state", '{"number": 7}', (7, "mail")),
        ("ORDER_STATE", '{"number": 7}', (7, "mail")),
        ("OrderState ", '{"number": 7}', (7, "mail")),
        ("order_state", '{"number": 7, "contact": "p2", "order": {"number": 9}}', (7, "mail")),
        ("order_state", '{"number": "7"}', (7, "mail")),
        ("order_state", '{"number": "#7"}', (7, "mail")),
        ("order_state", '{"number": "No. 7"}', (7, "mail")),
        ("order_state", '{"number": 7, "way": null}', (7, "mail")),
        ("order_state", '{"number": 7, "way": "Pick up", "x": 1}', (7, "pick-up")),
        ("order_state", '```json\n{"number": 7}\n```', (7, "mail")),
        ("order_state", '[{"number": 7, "y": []}]', (7, "mail")),
        ("order_state", json.dumps('{"number": 7}'), (7, "mail")),
    ]
    for name, arguments, (number, way) in rows:
        tool = OrderState()
        assert await toolbox(tool, hands_over=True).call(name, arguments) == "It is on its way.", (name, arguments)
        assert [given for given, _ in tool.ran] == [Order(number=number, way=way)], (name, arguments)  # type: ignore[arg-type]  # a row's text


async def test_texts_are_cut_and_converted_as_the_schema_wants() -> None:
    rows: list[tuple[object, tuple[str, tuple[str, ...], str]]] = [
        ({"address": {"street": "x" * 50}, "note": "n"}, ("x" * 40, (), "n")),
        ({"address": {"street": 7, "town": "y"}, "note": ["a", "b"]}, ("7", (), "a, b")),
        ({"address": {"street": "a", "lines": "b"}, "note": None}, ("a", ("b",), "")),
        ({"address": {"street": "a", "lines": '["b", "c"]'}}, ("a", ("b", "c"), "")),
        ({"address": '{"street": "a"}', "note": True}, ("a", (), "true")),
    ]
    for arguments, (street, lines, note) in rows:
        move = MoveOrder()
        await toolbox(move).call("move_order", json.dumps(arguments))
        [(given, _)] = move.ran
        assert (given.address.street, given.address.lines, given.note) == (street, lines, note), arguments


async def test_a_reason_for_handing_over_may_be_long_and_need_not_be_a_text() -> None:
    for reason, wanted in (("x" * 5_000, "x" * 500), (7, "7"), (["wants Ana", "is upset"], "wants Ana, is upset")):
        box = toolbox(hands_over=True)
        assert (await box.call("functions.Hand-Off", json.dumps({"reason": reason, "urgency": "high"}))).startswith("A colleague")
        assert box.wanted == wanted


async def test_what_is_wrong_is_told_without_repeating_what_the_model_wrote() -> None:
    told = await toolbox(OrderState()).call("order_state", json.dumps({"number": "4929 1234 5678 9012"}))
    assert "4929" not in told


@each_row(("hands_over", "there"), [(True, "There are: handoff, order_state."), (False, "There are: order_state.")])
@each_row("name", ["order_stat", "", "order_state_2", "orders.state_of", "../order", "run", "__class__", "<order_state>"])
async def test_of_an_unknown_tool_the_model_is_told_which_there_are(name: str, hands_over: bool, there: str) -> None:
    house, tool = House(), OrderState()
    told = await toolbox(tool, house=house, hands_over=hands_over).call(name, '{"number": 7}')
    assert told == f"There is no tool of that name. {there}"
    assert (tool.ran, house.store.calls) == ([], [])


async def test_handing_over_is_unknown_where_the_file_does_not_allow_it() -> None:
    box = toolbox()
    assert await box.call(HANDOFF_TOOL, '{"reason": "x"}') == "There is no tool of that name. There are: none."
    assert box.wanted is None


@each_row(
    "calls",
    [
        [("order_state", f'{{"number": {n}}}') for n in range(1, 30)],
        [("order_state", '{"number": 7}')] * 30,
        [("nothing", "{}")] * 30,
        [("order_state", "{}")] * 30,
        [(HANDOFF_TOOL, "{}")] * 30,
        [(HANDOFF_TOOL, '{"reason": "x"}')] * 30,
    ],
)
async def test_a_model_that_goes_on_calling_is_told_to_stop(calls: list[tuple[str, str]]) -> None:
    tool = OrderState()
    box = toolbox(tool, hands_over=True)
    told = [await box.call(*call) for call in calls]
    enough = "No more tools can be used for this answer. Answer with what you know."
    assert [each == enough for each in told] == [False] * MOST_CALLS + [True] * (len(calls) - MOST_CALLS)
    assert len(tool.ran) <= MOST_CALLS


# ── tools that fail ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_a_tool_says_of_its_failure_is_told_and_kept() -> None:
    house, tool = House(), OrderState(SaraError("there is no order 7\x00"))
    told = "It could not be done: there is no order 7"
    assert await toolbox(tool, house=house).call("order_state", '{"number": 7}') == told
    assert house.store.called("end_tool") == [(1, told, NOW)]
    assert await toolbox(tool, house=house, attempt=2).call("order_state", '{"number": 7}') == told
    assert len(tool.ran) == 1
    assert house.listed() == {}


@each_row(
    "error",
    [
        RuntimeError("card 4929 1234"),
        KeyError("x"),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError(),
    ],
)
async def test_a_tool_that_breaks_is_a_problem_and_what_it_did_is_not_known(error: BaseException) -> None:
    house, tool = House(), OrderState(error)
    assert await toolbox(tool, house=house).call("order_state", '{"number": 7}') == UNKNOWN
    assert house.store.called("end_tool") == []
    assert await toolbox(tool, house=house, attempt=2).call("order_state", '{"number": 7}') == UNKNOWN
    assert len(tool.ran) == 1
    assert house.listed() == {"tool:order_state:failed": 1}
    assert "4929" not in next(iter(house.problems)).message


async def test_a_tool_that_works_again_is_no_problem_any_more() -> None:
    house, tool = House(), OrderState(RuntimeError(), "fine")
    box = toolbox(tool, house=house)
    await box.call("order_state", '{"number": 7}')
    assert "tool:order_state:failed" in house.problems
    assert await box.call("order_state", '{"number": 8}') == "fine"
    assert house.listed() == {}


def test_a_tool_that_takes_too_long_is_given_up_and_not_called_again() -> None:
    async def main() -> tuple[list[str], int, dict[str, int]]:
        house, began = House(), []

        class Slow(OrderState):
            async def run(self, arguments: Any, scope: ToolContext) -> str:
                began.append(arguments)
                await asyncio.Event().wait()
                return ""

        told = [await toolbox(Slow(), house=house, attempt=n).call("order_state", '{"number": 7}') for n in (1, 2)]
        return told, len(began), house.listed()

    assert without_waiting(main()) == ([TIMED_OUT, TIMED_OUT], 1, {"tool:order_state:failed": 1})


def test_a_tool_whose_calls_do_not_end_is_left_uncalled() -> None:
    async def main() -> tuple[list[str], int]:
        house, began, over = House(), [], asyncio.Event()

        class Stuck(OrderState):
            async def run(self, arguments: Any, scope: ToolContext) -> str:
                began.append(arguments)
                while not over.is_set():
                    try:
                        await over.wait()
                    except asyncio.CancelledError:
                        continue
                return ""

        box, told = toolbox(Stuck(), house=house), []
        for n in range(1, MAX_STUCK_CALLS_PER_PLUGIN + 3):
            told.append(await box.call("order_state", f'{{"number": {n}}}'))
            await asyncio.sleep(5)
        over.set()
        await asyncio.sleep(1)
        return told, len(began)

    told, began = without_waiting(main())
    assert told == [TIMED_OUT] * MAX_STUCK_CALLS_PER_PLUGIN + ["This cannot be done at the moment."] * 2
    assert began == MAX_STUCK_CALLS_PER_PLUGIN


async def test_a_tool_that_cannot_even_check_its_arguments_is_a_problem_and_the_answer_goes_on() -> None:
    class Clumsy(OrderState):
        class Arguments(Options):
            number: int

            @field_validator("number")
            @classmethod
            def _look(cls, number: int) -> int:
                raise KeyError(number)

    house, tool = House(), Clumsy()
    assert await toolbox(tool, house=house).call("order_state", '{"number": 7}') == (
        "This cannot be done at the moment; nothing was done."
    )
    assert (tool.ran, house.store.calls, house.listed()) == ([], [], {"tool:order_state:failed": 1})


async def test_a_plain_function_for_a_tool_is_a_problem_and_no_crash() -> None:
    class Plain(OrderState):
        def run(self, arguments: Any, scope: ToolContext) -> str:  # type: ignore[override]  # a stranger forgot the async
            return "done"

    house = House()
    assert await toolbox(Plain(), house=house).call("order_state", '{"number": 7}') == "done"
    assert house.listed() == {"tool:order_state:failed": 1}


# ── handing over ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_handing_over_notes_the_reason_and_does_nothing_yet() -> None:
    house = House()
    box = toolbox(house=house, hands_over=True)
    told = await box.call(HANDOFF_TOOL, '{"reason": "wants a refund\\u0000"}')
    assert told.startswith("A colleague takes over")
    assert box.wanted == "wants a refund"
    assert house.store.calls == []


@each_row("arguments", ["{}", '{"reason": ""}', '{"reason": {}}', '{"reason": null}', '{"reasons": "x"}', "later"])
async def test_without_a_reason_nothing_is_handed_over(arguments: str) -> None:
    box = toolbox(hands_over=True)
    assert "nothing was done" in await box.call(HANDOFF_TOOL, arguments)
    assert box.wanted is None


async def test_the_last_reason_counts() -> None:
    box = toolbox(hands_over=True)
    for reason in ("first", "second"):
        await box.call(HANDOFF_TOOL, json.dumps({"reason": reason}))
    assert box.wanted == "second"


# ── which tools a policy has ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_policy_has_the_tools_that_it_names_and_that_somebody_brings() -> None:
    brought = {"order_state": OrderState(), "move_order": MoveOrder()}
    names = ("handoff", "move_order", "weather")
    assert select_tools(names, brought) == [brought["move_order"]]
    assert find_missing_tools(names, brought) == ["weather"]


def named(name: object) -> Tool:
    tool = OrderState()
    tool.name = name  # type: ignore[misc, assignment]  # nobody checks a stranger's types
    return tool


def changed(**changes: object) -> Tool:
    tool = OrderState()
    for key, value in changes.items():
        setattr(tool, key, value)
    return tool


class Plain(BaseModel):
    number: int


class Odd(Options):
    check: Callable[[int], int]


@each_row(
    ("tool", "fault"),
    [
        (OrderState, "it is a ABCMeta, not a Tool"),
        (None, "it is a NoneType, not a Tool"),
        (named(""), "is not letters"),
        (named("order state"), "is not letters"),
        (named("état"), "is not letters"),
        (named("x" * 65), "is not letters"),
        (named("a\n"), "is not letters"),
        (named(7), "is not letters"),
        (named("handoff"), "the name handoff is taken"),
        (named("weather"), "the name weather is taken"),
        (changed(Arguments=None), "declares no Arguments"),
        (changed(Arguments=Plain), "declares no Arguments"),
        (changed(Arguments=Order(number=1)), "declares no Arguments"),
        (changed(Arguments=Odd), "have no JSON Schema"),
        (changed(description=""), "has no description"),
        (changed(description=None), "has no description"),
        (changed(timeout=0), "is no number of milliseconds"),
        (changed(timeout="10s"), "is no number of milliseconds"),
        (changed(timeout=None), "is no number of milliseconds"),
    ],
)
def test_what_keeps_a_tool_from_being_used_is_said_before_it_is(tool: object, fault: str) -> None:
    said = find_tool_fault(tool, {"weather": OrderState()})
    assert said is not None
    assert fault in said


def test_a_sound_tool_has_no_fault() -> None:
    assert find_tool_fault(OrderState(), {}) is None
    assert find_tool_fault(named("A_1"), {"a_1": OrderState()}) is None


# ── customers who want more than is theirs ────────────────────────────────────────────────────────────────────────────────

INJECTIONS: list[dict[str, str]] = json.loads((Path(__file__).parents[2] / "data" / "injections.json").read_bytes())
"""What such customers write, in many languages, and the call that a model makes which falls for it."""

OTHERS = ("contact", "conversation", "account", "phone", "user_id", "scope", "to", "on_behalf_of")


def fooled(injection: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Every call that a model may make of a text: the one that was meant, its words as arguments, and in place of each of them."""
    text, name, arguments = injection["text"], injection["name"], injection["arguments"]
    yield name, arguments
    for tool in ("order_state", "move_order", HANDOFF_TOOL, "refund"):
        yield tool, arguments
        yield tool, text
        yield tool, json.dumps(text)
        for piece in re.findall(r"[\[{].*[\]}]", text):
            yield tool, piece
    yield text, arguments
    yield name, json.dumps({"number": text})
    yield "order_state", json.dumps({"number": 7, "way": text})
    yield "order_state", json.dumps({"number": 7, text: text})
    yield "move_order", json.dumps({"address": {"street": text}, "note": text})
    yield "move_order", json.dumps({"address": {"street": "a", "lines": [text, text]}})
    yield "move_order", json.dumps({"address": text})
    for other in OTHERS:
        yield "order_state", json.dumps({"number": 7, other: text})
        yield "move_order", json.dumps({"address": {"street": "a", other: text}})
        yield HANDOFF_TOOL, json.dumps({"reason": text, other: text})


def test_the_corpus_is_large_and_speaks_many_languages() -> None:
    assert len({injection["text"] for injection in INJECTIONS}) == len(INJECTIONS) >= 60
    assert len({injection["language"] for injection in INJECTIONS}) >= 9


@each_row("injection", INJECTIONS)
async def test_whatever_a_customer_writes_no_tool_runs_for_another_person_or_outside_its_arguments(
    injection: dict[str, str],
) -> None:
    house, order, move, refund = House(), OrderState(), MoveOrder(), named("refund")
    brought = {tool.name: tool for tool in (order, move, refund)}
    allowed = select_tools(("handoff", "order_state", "move_order"), brought)
    for name, arguments in fooled(injection):
        box = toolbox(*allowed, house=house, hands_over=True)
        told = await box.call(name, arguments)
        assert isinstance(told, str)
        assert box.wanted is None or ('"reason"' in arguments and 0 < len(box.wanted) <= 500)
    assert refund.ran == []  # type: ignore[attr-defined]  # it is an OrderState
    for tool in (order, move):
        for given, scope in tool.ran:
            assert scope is SCOPE
            assert type(given) is tool.Arguments
            # Nothing but what is declared, and within its bounds.
            assert tool.Arguments.model_validate(given.model_dump(), strict=True) == given
    written = house.store.called("begin_tool")
    assert {conversation for conversation, *_ in written} <= {CONVERSATION}
    assert {name for _, _, name, *_ in written} <= {"order_state", "move_order"}
    assert len(house.store.called("end_tool")) == len(order.ran) + len(move.ran)
    assert house.listed() == {}


@each_row("injection", INJECTIONS)
async def test_what_a_customer_writes_into_a_free_text_reaches_the_tool_as_it_is(injection: dict[str, str]) -> None:
    move = MoveOrder()
    await toolbox(move).call("move_order", json.dumps({"address": {"street": "a"}, "note": injection["text"]}))
    [(given, scope)] = move.ran
    assert (given.note, given.address.street, scope) == (injection["text"], "a", SCOPE)
