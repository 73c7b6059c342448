"""Classifies an error by its status, its codes and its message.

The patterns match what an error is about and not which server wrote it. `servers.json` of the simulator holds the real errors of
twenty servers, and docs/ai-servers.md shows how SARA reacts to each.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from sara_openai.api.error_body import ErrorBody

ErrorKind: TypeAlias = Literal[
    "length",  # the request is too long for the model or for the account's limit per request
    "no_pictures",  # the model accepts no images
    "picture",  # one of the images cannot be read
    "tools",  # the model accepts no tools, or not these
    "tool_call",  # the model produced an invalid tool call
    "roles",  # consecutive messages of one role are refused
    "system",  # the model accepts no system message
    "encrypted_reasoning",  # the model returns no encrypted reasoning
    "filter",  # the provider's content filter refused it
    "quota",  # the account's credit or spending limit is used up
    "credentials",  # the API key is refused
    "model",  # the model does not exist
    "parameter",  # an option of sara.yaml that the model refuses
    "address",  # the API is at another address
    "busy",  # the server cannot answer at the moment
    "unknown",  # refused for an unknown reason
]

_CALL_CODES = frozenset({"tool_use_failed", "malformed_function_call", "invalid_tool_call"})
_CALL = re.compile(
    r"failed to call a function|tool call validation failed|malformed[_ ]function[_ ]call|failed_generation"
    r"|(?:failed|unable) to parse (?:the )?(?:tool|function)[ -]call|(?:tool|function)[ _]call[^.]{0,60}(?:not (?:in )?valid|invalid) json"
    r"|function\.arguments[^.]{0,60}(?:json|parse)|invalid (?:function|tool) (?:call )?arguments|arguments[^.]{0,40}must be (?:in )?(?:valid )?json"
    r"|parameter of the code model must be in json",
    re.IGNORECASE,
)
_LENGTH_CODES = frozenset(
    {
        "context_length_exceeded",
        "context_window_exceeded",
        "model_context_window_exceeded",
        "exceed_context_size_error",
        "request_too_large",
        "string_above_max_length",
        "1261",
        "3006",
        "content_length_exceeds_threshold",
    }
)
_LENGTH = re.compile(
    r"context[_ ](?:length|window|size|limit|overflow)|maximum (?:context|prompt|input|model) length|max(?:imum)? model len"
    r"|(?:prompt|input|conversation|request|message)s?(?: token length)? (?:is |are )?too (?:long|large)|too many (?:input |prompt )?tokens"
    r"|(?:reduce|shorten)[^.]{0,40}(?:length|size|prompt|input|message)|input or output tokens must be reduced"
    r"|token (?:count|limit)[^.]{0,40}exceed|exceed[^.]{0,40}(?:token limit|maximum number of tokens|tokens allowed|limit of \d+)"
    r"|string too long|range of input length|prompt exceeds max|prompt tokens limit exceeded|`inputs`[^.]{0,40}must (?:be <=|have less)"
    r"|prompt (?:超长|过长)|(?:输入|上下文)[^。]{0,12}(?:超长|过长|超过|超出)|input length|(?:entity|payload|body) too large",
    re.IGNORECASE,
)
_RATE_LIMIT = re.compile(
    r"rate[ _-]?limit|per[ -](?:minute|min|second|day|hour)|\b[rt]p[mds]\b|throttl|too many requests|(?:try|retry)[^.]{0,20} (?:again )?(?:in|after) \d"
    r"|queued|concurren",
    re.IGNORECASE,
)
_PER_MINUTE = re.compile(r"per[ -](?:minute|second)|\b[rt]pm\b", re.IGNORECASE)
_TOO_LARGE_AT_ONCE = re.compile(
    r"(?:request|prompt|input) too large|tokens must be reduced|reduce your message size|prompt tokens limit", re.IGNORECASE
)
_IMAGES = re.compile(
    r"image|picture|vision|multi-?modal|\bvlm\b|mmproj|input_image|图片|图像|item type in content|content elements? of type"
    r"|content must be a (?:string|str)|content\.type|single `?text`? element|content[^.]{0,30}(?:should be a valid|expected a) string|be a valid string",
    re.IGNORECASE,
)
_NO_SUPPORT = re.compile(
    r"not (?:currently )?(?:support|enabl|allow|accept|a multi-?modal|a vlm|available)|n't support|unsupported (?:input|content|modality|type)"
    r"|only (?:be )?support|only supported|no endpoints|not multi-?modal|text[- ]only|unknown variant|be a (?:valid )?(?:string|str)|mmproj"
    r"|item type in content|invalid content type|expects a single|参数非法|不支持|not met|missing data required",
    re.IGNORECASE,
)
_BAD_IMAGE = re.compile(
    r"(?:invalid|corrupt|broken|unreadable|malformed|bad|empty)[^.]{0,20}(?:image|picture|base64)"
    r"|(?:image|picture)[^.]{0,40}(?:invalid|not valid|corrupt|too (?:large|small|big)|exceeds|below the minimum|dimension|size)"
    r"|(?:unable|failed|could not|cannot|can't|fail) (?:to )?(?:process|decode|load|parse|read|open|identify|download)[^.]{0,30}(?:image|picture|multimodal)"
    r"|unsupported (?:image|mime|media)|uploaded an unsupported|图片输入格式|图片解析",
    re.IGNORECASE,
)
_ROLES = re.compile(
    r"roles?[^.]{0,60}alternat|alternat[^.]{0,60}(?:role|user|assistant)|should alternate|expected last role|roles? must|message_order"
    r"|consecutive[^.]{0,30}(?:messages|roles?)|(?:last|first) message must|no user query found|must (?:start|begin|end) with[^.]{0,20}user"
    r"|comes? immediately after a user turn",
    re.IGNORECASE,
)
_SYSTEM = re.compile(
    r"(?:system|developer)[ '\"`]*(?:role|message|instruction|prompt)s?[^.]{0,30}(?:not|n't|un)[ -]?(?:support|enabl|allow|accept|permit)"
    r"|(?:not|n't)[ -]support[^.]{0,30}(?:system|developer)[ '\"`]*(?:role|message|instruction|prompt)"
    r"|role[ '\"`]*does not support[ '\"`]*(?:system|developer)"
    r"|only user and assistant roles|system messages? must be at the (?:beginning|start)|unexpected (?:message )?role[^.]{0,10}system",
    re.IGNORECASE,
)
_TOOLS = re.compile(
    r"(?<![a-z])tools?(?![a-z])|function[_ ]?call|functions? (?:is|are|use)|(?<![a-z])function calling", re.IGNORECASE
)
_NO_TOOLS_500 = re.compile(
    r"tools? param(?:eter)? requires|(?:tool|function)[^.]{0,40}not support|not support[^.]{0,20}(?:tool|function)", re.IGNORECASE
)
_FILTER_CODES = frozenset(
    {
        "content_filter",
        "content_filtered",
        "content_policy_violation",
        "responsibleaipolicyviolation",
        "data_inspection_failed",
        "datainspectionfailed",
        "moderation_blocked",
        "invalid_prompt",
        "prohibited_content",
        "1301",
    }
)
_FILTER = re.compile(
    r"content[ _](?:management|filter|polic|moderation)|safety[ _](?:system|check|polic|filter)|usage (?:guideline|polic)|content exists risk"
    r"|inappropriate|considered high risk|(?:unsafe|sensitive|prohibited|harmful) content|不安全|敏感内容|违规|was flagged|requires moderation"
    r"|(?:was|been) filtered|flagged (?:as|for)|policy violation|contentpolicy|guardrail|sensitive_words",
    re.IGNORECASE,
)
_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
        "exceeded_current_quota_error",
        "arrearage",
        "budget_exceeded",
        "credit_limit",
        "billing_error",
        "1113",
        "3036",
        "4006",
    }
)
_QUOTA = re.compile(
    r"insufficient (?:account )?(?:balance|quota|credit|fund)|exceeded your current (?:token )?quota|billing|(?:out of|used (?:up )?all|no|more) "
    r"(?:available |remaining )?credits?|credits? (?:limit|exhausted|remaining|balance)|spend(?:ing)? limit|monthly limit|usage limit"
    r"|budget has been exceeded|budgetexceeded|over budget|good standing|free (?:daily )?allocation|free (?:tier|quota)[^.]{0,30}exhausted"
    r"|余额|欠费|充值|额度不足|recharge|top up|requires? a? ?(?:subscription|workers paid plan)|payment required",
    re.IGNORECASE,
)
_KEY_CODES = frozenset(
    {"invalid_api_key", "api_key_invalid", "invalid_authentication_error", "authentication_error", "unauthenticated"}
)
_KEY = re.compile(
    r"(?:invalid|incorrect|wrong|missing|expired|malformed|unknown)[^.]{0,30}(?:api[ _-]?key|api[ _-]?token|access token|credential|subscription key)"
    r"|(?:api[ _-]?key|api[ _-]?token|access token|credential)s?[^.]{0,30}(?:not valid|invalid|not found|expired|incorrect|wrong|missing|revoked|leaked"
    r"|disabled|suspended)|api_key_invalid|authentication (?:error|fail|required)|unauthorized|invalid authentication|令牌[^。]{0,12}(?:过期|不正确)",
    re.IGNORECASE,
)
_MODEL_CODES = frozenset(
    {
        "model_not_found",
        "invalid_model",
        "deploymentnotfound",
        "model_not_exist",
        "resource_not_found_error",
        "not_found",
        "1211",
        "5007",
        "3042",
    }
)
_MODEL = re.compile(
    r"model[^.]{0,80}(?:not (?:be )?(?:found|exist|available|deployed|loaded)|does not exist|no longer|decommissioned|end of life|is unknown)"
    r"|(?:no such|unknown|invalid|unsupported|no) models?|not a valid model|模型不存在|not allowed to access model|no models? loaded",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(r"jinja|template error|chat template|applying (?:the )?template", re.IGNORECASE)
_ENCRYPTED_REASONING = re.compile(r"encrypted[ _]content", re.IGNORECASE)
OPTION_OF_PARAMETER = {
    "temperature": "temperature",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "max_output_tokens": "max_output_tokens",
    "max_new_tokens": "max_output_tokens",
    "maxoutputtokens": "max_output_tokens",
    "num_predict": "max_output_tokens",
}
"""The option of sara.yaml behind each parameter name that servers use, in lower case."""

_PARAMETER_NAME = re.compile(rf"(?<![a-z0-9_])({'|'.join(OPTION_OF_PARAMETER)})(?![a-z0-9_])", re.IGNORECASE)
_FAULTY = re.compile(
    r"support|invalid|unknown|unrecogni[sz]ed|unexpected|must|should|too (?:large|high|low|small|big)|exceed|only|range|at (?:most|least)|extra"
    r"|not (?:permitted|allowed|accepted|valid)|greater|less than|maximum|deprecated|cannot|can't|参数|无效|非法",
    re.IGNORECASE,
)
_WITH_PROMPT = re.compile(
    r"\binputs?\b|in (?:the|your) (?:messages|prompt)|prompt (?:contains|has|length|token)|length of (?:the|your) (?:input|messages|prompt)",
    re.IGNORECASE,
)

_BUSY_STATUSES = frozenset({408, 409, 425, 429, 498, 499})


def classify_error(
    status: int, body: ErrorBody, *, tools: bool = False, images: bool = False, options: frozenset[str] = frozenset()
) -> ErrorKind:
    """Return what the server refused.

    `tools` and `images` tell whether the request contained any, `options` are the parameter names under which options of
    sara.yaml were sent: only what was sent can have been refused.
    """
    said, codes = body.message, body.codes
    if status in (401, 407) and not _is_quota_error(codes, said):
        return "credentials"
    refused = 400 <= status < 600
    blames = status in (400, 422) or _FAULTY.search(said) is not None
    if refused and blames and status not in (402, 403, 429) and find_refused_option(body, options) is not None:
        return "parameter"
    if refused and _is_too_long(status, codes, said):
        return "length"
    if status == 429 and _PER_MINUTE.search(said):
        return "busy"
    if status == 429 or (refused and _RATE_LIMIT.search(said) and not codes & (_FILTER_CODES | _QUOTA_CODES)):
        return "quota" if _is_quota_error(codes, said) and not _states_wait(said) else "busy"
    if (part := _classify_part(status, body, tools, images)) is not None:
        return part
    if 400 <= status < 500 and (codes & _FILTER_CODES or _FILTER.search(said)):
        return "filter"
    return _classify_setting(status, body)


def find_refused_option(body: ErrorBody, options: frozenset[str]) -> str | None:
    """Return the option of sara.yaml that an error is about, if it was sent.

    `options` are the parameter names under which options were sent. If prompt and answer together are too long, the prompt is at
    fault and not the option.
    """
    if _LENGTH.search(body.message) and _WITH_PROMPT.search(body.message):
        return None
    sent = {OPTION_OF_PARAMETER[name] for name in options}
    named = [body.param.rpartition(".")[2], *(_PARAMETER_NAME.findall(body.message))]
    return next((option for name in named if (option := OPTION_OF_PARAMETER.get(name.lower())) in sent), None)


def _classify_part(status: int, body: ErrorBody, tools: bool, images: bool) -> ErrorKind | None:
    """Return which part of the request was refused, judged by the message, because some servers answer 404 or 500 for it."""
    said, codes, param = body.message, body.codes, body.param
    if status in (402, 403):
        return None
    if codes & _CALL_CODES or _CALL.search(said):
        return "tool_call"
    if _ROLES.search(said):
        return "roles"
    if _SYSTEM.search(said):
        return "system"
    if status < 500 and (param == "include" or _ENCRYPTED_REASONING.search(said)):
        return "encrypted_reasoning"
    unreadable = any(re.match(r"image_|invalid_image|invalid_base64", code) for code in codes)
    if images and (unreadable or _IMAGES.search(f"{said} {param}")):
        if (unreadable or _BAD_IMAGE.search(said)) and not re.search(r"not support|unsupported image input", said, re.I):
            return "picture"
        if status < 500 or _NO_SUPPORT.search(said):
            return "no_pictures" if _NO_SUPPORT.search(said) else "picture"
    if tools and (_TEMPLATE.search(said) or _are_tools_refused(status, f"{' '.join(codes)} {param} {said}")):
        return "tools"
    if _TEMPLATE.search(said):
        return "roles"  # a chat template fails because of the order of messages, independent of its message
    return None


def _classify_setting(status: int, body: ErrorBody) -> ErrorKind:
    """Return which setting an operator has to change, or `busy` if waiting helps."""
    said, codes = body.message, body.codes
    if status == 402 or (400 <= status < 500 and _is_quota_error(codes, said)):
        return "quota"
    if status == 403 or (400 <= status < 500 and (codes & _KEY_CODES or _KEY.search(said))):
        return "credentials"
    if status in (404, 410) or (400 <= status < 500 and (codes & _MODEL_CODES or _MODEL.search(said))):
        return "model"
    if 300 <= status < 400 or status == 405:
        return "address"
    if status in _BUSY_STATUSES or status >= 500:
        return "busy"
    return "unknown"


def _is_too_long(status: int, codes: frozenset[str], said: str) -> bool:
    if _TOO_LARGE_AT_ONCE.search(said):
        return True  # also where the server calls it a rate limit: waiting makes no request smaller
    if status == 413:
        return True
    if status == 429 or _RATE_LIMIT.search(said):
        return False
    return bool(codes & _LENGTH_CODES or _LENGTH.search(said))


def _is_quota_error(codes: frozenset[str], said: str) -> bool:
    return bool(codes & _QUOTA_CODES or _QUOTA.search(said))


def _states_wait(said: str) -> bool:
    """Return whether the message states a wait: what Gemini and Groq call a quota is a rate limit."""
    return re.search(r"(?:try|retry)[^.]{0,20} (?:again )?(?:in|after) \d", said, re.IGNORECASE) is not None


def _are_tools_refused(status: int, told: str) -> bool:
    if status >= 500:
        return _NO_TOOLS_500.search(told) is not None
    return status in (400, 404, 405, 415, 422, 424, 501) and _TOOLS.search(told) is not None
