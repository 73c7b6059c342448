"""Errors are read in every shape, told apart by what they talk about, and shown without what nobody may read."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sara_openai.api.error_body import read_error, read_text
from sara_openai.api.error_kinds import ErrorKind, classify_error
from sara_openai.api.excerpts import MAX_EXCERPT_CHARS, redact_excerpt

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "detail", "message", "code", "loc"]) | st.text(max_size=5), inner, max_size=3
        )
    ),
)


def test_an_error_is_found_in_every_shape() -> None:
    rows: list[tuple[str, str, set[str]]] = [
        ('{"error": {"message": "no", "code": "bad_thing", "type": "t"}}', "no", {"bad_thing", "t"}),
        ('[{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}]', "no", {"400", "invalid_argument"}),
        ('{"code": "invalid-argument", "error": "no"}', "no", {"invalid-argument"}),
        ('{"error": "no"}', "no", set()),
        ('{"object": "error", "message": "no", "type": "BadRequestError", "code": 400}', "no", {"400", "badrequesterror"}),
        ('{"detail": "no"}', "no", set()),
        (
            '{"detail": [{"loc": ["body", "tools"], "msg": "no", "type": "extra_forbidden", "input": "secret"}]}',
            "no",
            {"extra_forbidden"},
        ),
        ('{"errors": [{"code": 10000, "message": "no"}], "success": false}', "no", {"10000"}),
        ('{"errors": ["no"]}', "no", set()),
        ('{"success": false, "code": 401, "msg": "no"}', "no", {"401"}),
        (
            '{"error": {"message": "{\\"error\\": {\\"code\\": 400, \\"message\\": \\"no\\", \\"status\\": \\"X\\"}}"}}',
            "no",
            {"x"},
        ),
        (
            '{"error": {"message": "outer", "metadata": {"raw": "{\\"error\\": {\\"message\\": \\"no\\", \\"code\\": \\"inner\\"}}"}}}',
            "no",
            {"inner"},
        ),
        (
            '{"error": {"message": "litellm.X: Y - {\\"error\\":{\\"message\\":\\"no\\",\\"type\\":\\"z\\"}} behind"}}',
            "no",
            {"z"},
        ),
        ("no", "no", set()),
        ("<html><head><title>no</title></head><body>much else</body></html>", "no", set()),
        ("<!doctype html><body><script>x()</script><p>no</p></body>", "no", set()),
        (
            '{"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "no"}}',
            "no",
            {"responsibleaipolicyviolation"},
        ),
    ]
    for text, said, codes in rows:
        read = read_text(text)
        assert said in read.message, text
        assert codes <= read.codes, (text, read)
        assert "secret" not in read.message
    assert read_text('{"detail": [{"loc": ["body", "tools"], "msg": "no"}]}').param == "body.tools"
    assert read_text('{"choices": [], "error": {"code": 429, "message": "no"}}').status == 429
    for text in ("", "   ", "null", "5", "[]", "{}", "[[]]", '{"id": "x", "object": "chat.completion"}'):
        assert read_text(text).status is None
    assert read_text("[" * 100_000).message.startswith("[[[")
    assert len(read_text("x" * 10_000_000).message) <= 4_000


@given(JSON)
def test_no_body_breaks_the_reading(body: Any) -> None:
    read = read_error(body)
    assert isinstance(classify_error(400, read, tools=True, images=True), str)
    assert isinstance(read_text(json.dumps(body)).message, str)


def test_a_refusal_is_told_by_what_it_talks_about() -> None:
    rows: list[tuple[int, str, ErrorKind]] = [
        # Too long, and what only sounds like it.
        (400, "prompt is too long: 210000 tokens > 200000 maximum", "length"),
        (400, "Input is too long for requested model.", "length"),
        (400, "input length and `max_tokens` exceed context limit: 197000 + 8192 > 200000", "length"),
        (400, "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.", "length"),
        (400, "prompt token count of 300000 exceeds the limit of 128000", "length"),
        (400, "invalid params, context window exceeds limit", "length"),
        (400, "Prompt has 256468 tokens, but the configured context size is 256000 tokens", "length"),
        (400, "Invalid 'messages[3].content': string too long. Expected a string with maximum length 1048576", "length"),
        (400, "输入内容长度超过模型上限", "length"),
        (500, "input is too large to process. increase the physical batch size: input length", "length"),
        (413, "", "length"),
        (413, "<html>Request Entity Too Large", "length"),
        (
            429,
            "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2.5s.",
            "busy",
        ),
        (429, "Number of request tokens has exceeded your per-minute rate limit", "busy"),
        (400, "Throttling error: Too many tokens, please wait before trying again.", "busy"),
        (503, "Service unavailable: too many tokens queued", "busy"),
        (400, "max_tokens is too large: 262144. This model supports at most 256000 completion tokens.", "parameter"),
        # Tools.
        (400, "Invalid schema for function 'x': in tools[0].function.parameters", "tools"),
        (422, "Extra inputs are not permitted: tools", "tools"),
        (500, "tools param requires --jinja flag", "tools"),
        (500, "the tools broke", "busy"),
        (429, "too many tools", "busy"),
        (400, "stools and toolboxes", "unknown"),
        (400, "Tool call validation failed: attempted to call tool 'x' which was not in request.tools", "tool_call"),
        (500, "Failed to parse tool call arguments as JSON: [json.exception.parse_error.101]", "tool_call"),
        (400, 'The "function.arguments" parameter of the code model must be in JSON format.', "tool_call"),
        (400, "invalid params, invalid function arguments json string", "tool_call"),
        # Pictures.
        (404, "No endpoints found that support image input", "no_pictures"),
        (400, "The model does not support content elements of type image.", "no_pictures"),
        (400, "The model is not a VLM (Vision Language Model).", "no_pictures"),
        (400, "Invalid image data: cannot identify image file", "picture"),
        (
            400,
            "You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png', 'jpeg']",
            "picture",
        ),
        (400, "Provided image is not valid.", "picture"),
        (400, "Image dimensions 1x1 are below the minimum", "picture"),
        (500, "Failed to load image or audio file", "picture"),
        (500, "image backend crashed", "busy"),
        (400, "At most 1 image(s) may be provided in one request.", "picture"),
        (
            400,
            '{"detail": [{"loc": ["body", "messages", 1, "content"], "msg": "Input should be a valid string"}]}',
            "no_pictures",
        ),
        (400, "该模型不支持图片输入", "no_pictures"),
        # The order of messages.
        (400, "After the optional system message, conversation roles must alternate user/assistant/user/assistant/...", "roles"),
        (400, 'messages: roles must alternate between "user" and "assistant", but found multiple "user" roles in a row', "roles"),
        (400, 'Error rendering prompt with jinja template: "No user query found in messages."', "roles"),
        (400, "Last message must have role `user`", "roles"),
        (400, "System role not supported", "system"),
        (400, "Unsupported value: 'messages[0].role' does not support 'system' with this model.", "system"),
        (400, "System message must be at the beginning", "system"),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it", "system"),
        # Who may not, and what may not be said.
        (403, 'Your input was flagged for "violence"', "filter"),
        (403, "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO", "filter"),
        (400, "Output blocked by content filtering policy", "filter"),
        (403, "Forbidden", "credentials"),
        (401, "content policy", "credentials"),
        (400, "API key expired. Please renew the API key.", "credentials"),
        (400, "invalid x-api-key", "credentials"),
        (402, "", "quota"),
        (400, "Your credit balance is too low to access the API: billing", "quota"),
        (429, "You exceeded your current quota, please check your plan and billing details.", "quota"),
        (429, "You exceeded your current quota, please check your plan and billing details. Please retry in 34.07s.", "busy"),
        (403, "This model requires a Workers Paid plan", "quota"),
        # The rest.
        (404, "", "model"),
        (400, "The model `gpt-0` does not exist or you do not have access to it.", "model"),
        (400, "Model Not Exist", "model"),
        (400, "'temperature' does not support 0.2 with this model", "parameter"),
        (301, "", "address"),
        (405, "", "address"),
        (502, "<html>Bad Gateway", "busy"),
        (529, "Overloaded", "busy"),
        (408, "", "busy"),
        (418, "I am a teapot", "unknown"),
        (400, "invalid request", "unknown"),
    ]
    options = frozenset({"temperature", "max_tokens"})
    for status, said, kind in rows:
        assert classify_error(status, read_text(said), tools=True, images=True, options=options) == kind, (status, said)
    for order in range(20):  # codes have no order, and none of them may change what the words say
        body = {
            "message": "Image input is not enabled for this model",
            "type": "invalid_request_error",
            "code": f"{order}invalid",
        }
        assert classify_error(400, read_error(body), images=True) == "no_pictures"
    # What a request does not hold cannot be what is refused of it.
    assert classify_error(400, read_text("this model does not support image input")) == "unknown"
    assert classify_error(400, read_text("llama2 does not support tools")) == "unknown"
    assert classify_error(400, read_text("'temperature' does not support 0.2 with this model")) == "unknown"


def test_an_excerpt_shows_what_helps_and_nothing_that_is_anybodys() -> None:
    key = "sk-proj-abcdefghijklmnop"
    texts = [
        "Please send it to Zoë Strange, Harbour Lane 12",
        "мой секретный пароль",
        "请把蛋糕送到港口路十二号",
        "hunter2-hunter2",
    ]
    hidden: list[tuple[str, list[str]]] = [
        (f"Incorrect API key provided: {key}.", [key, "abcdefgh"]),
        ("Received API Key = sk-...rong, Key Hash (Token) =c8c2a9d1f0c8c2a9d1f0aa", ["c8c2a9d1f0c8c2"]),
        ("Your api key: ****e78f is invalid", ["e78f"]),
        ("key xai-AbCdEf123 was not found", ["AbCdEf123"]),
        ("Bearer eyJhbGciOi.abc is expired", ["eyJhbGciOi"]),
        ("AIzaSyA-1234567890abcdefghijk is not valid", ["AIzaSyA"]),
        ("call +49 171 5550000 or mail zoe@example.org", ["5550000", "zoe@"]),
        ("no such user 4917155500001", ["49171555"]),
        ("flagged: 'send it to Zoë Strange'", ["Zoë", "Strange"]),
        ("flagged: Harbour", ["Harbour"]),
        ("flagged: мой секретный пароль", ["секрет", "пароль"]),
        ("flagged: 蛋糕送到港口路", ["港口路"]),
        ("flagged: hunter2-hunter2", ["hunter2"]),
        ("image data:image/png;base64,iVBORw0KGgo= is broken", ["iVBOR"]),
        ("see https://example.org/a?token=abcdef&x=1 for more", ["abcdef"]),
    ]
    for said, gone in hidden:
        shown = redact_excerpt(said, [key], texts)
        assert not [each for each in gone if each in shown], shown
    for said in (
        "This model's maximum context length is 131072 tokens. However, you requested 139162 tokens.",
        "API key not valid. Please pass a valid API key.",
        "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
        "messages[1]: unknown variant `image_url`, expected `text` at line 1 column 746109",
        "余额不足或无可用资源包,请充值。",
    ):
        assert redact_excerpt(said, [key], texts) == said
    assert redact_excerpt("maximum context length", [key], ["the maximum context length, please"]) == "maximum context length"
    assert redact_excerpt("no such user: Al O'Hara, alone", [], [], ["Al O'Hara"]) == "no such user: …, alone"
    assert len(redact_excerpt("word " * 1_000, [], [])) <= MAX_EXCERPT_CHARS + 1
    assert "\n" not in redact_excerpt("two\nlines", [], [])
