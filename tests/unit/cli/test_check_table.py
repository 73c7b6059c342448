"""`sara check` on whole files: each row changes one thing in a right file and says what must be found, and in which line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sara.cli.config import check

HOME = Path(__file__).parents[3]

GOOD = """\
server:
  listen: 127.0.0.1:8080
  public_url: https://bot.lindenbaum-bakery.de
state: ./state
channels:
  shop:
    plugin: whatsapp
    webhook: /webhook/messages
    phone_number_id: "109000000000551"
    business_account_id: "109000000000552"
    app_id: "109000000000553"
    app_secret: !secret app_secret
    access_token: !secret access_token
    verify_token: !secret verify_token
    api_version: v26.0
    throughput: 80
responders:
  assistant:
    plugin: openai
    model: gpt-5-mini
    api_key: !secret openai_api_key
    instructions: !include instructions.md
    timeout: 60s
conversation:
  debounce: 1s
  tools: [handoff]
  handoff:
    notify: {channel: shop, to: "+49 170 9941372"}
  follow_up: {after: 20h}
budget:
  month: {money: 20}
  prices: {gpt-5: {input: 0.25, output: 2}}
"""
SECRETS = """\
app_secret: "0f1e2d3c4b5a"
access_token: "EAAGm0PX4ZCps"
verify_token: "wild boars dance at noon"
openai_api_key: "sk-proj-Qz81LmTu"
"""
INSTRUCTIONS = "You answer the customers of a bakery.\n"


@dataclass
class Row:
    """One change, and what must be told. `told` holds the place that is named and words of what is said about it."""

    what: str
    old: str
    new: str
    told: str = ""
    error: bool = True
    file: str = "sara.yaml"


E, W = True, False
ROWS = (
    Row("nothing is wrong", "debounce: 1s", "debounce: 2s"),
    # examples that were left
    Row("the example's address", "bot.lindenbaum-bakery.de", "bot.example.org", "sara.yaml:3:15: server.public_url is the example"),
    Row("another example's address", "bot.lindenbaum-bakery.de", "www.example.com", "sara.yaml:3:15: server.public_url is an example"),
    Row("an invented domain", "bot.lindenbaum-bakery.de", "your-domain.com", "sara.yaml:3:15: server.public_url is an example"),
    Row("the example's number id", "109000000000551", "109000000000001", "sara.yaml:9:22: channels.shop.phone_number_id is the example"),
    Row("its account id", "109000000000552", "109000000000002", "sara.yaml:10:26: channels.shop.business_account_id is the example"),
    Row("its app id", "109000000000553", "109000000000003", "sara.yaml:11:13: channels.shop.app_id is the example"),
    Row("an id that manuals write", "109000000000553", "123456789012345", "sara.yaml:11:13: channels.shop.app_id is an example"),
    Row("an id of one digit", "109000000000553", "000000000000000", "sara.yaml:11:13: channels.shop.app_id is an example"),
    Row("the example's operator", "+49 170 9941372", "+49 171 5550000", "sara.yaml:28:33: conversation.handoff.notify.to is the example"),
    Row("a model to be named", "model: gpt-5-mini", "model: <your model>", "sara.yaml:20:12: responders.assistant.model is an example"),
    Row("a secret to be named", '"0f1e2d3c4b5a"', '"YOUR APP SECRET"', "secrets.yaml:1:13: the secret app_secret is an example", file="secrets.yaml"),
    Row("a manual's token", '"EAAGm0PX4ZCps"', '"EAA..."', "secrets.yaml:2:15: the secret access_token is an example", file="secrets.yaml"),
    Row("a token of crosses", '"EAAGm0PX4ZCps"', '"EAAxxxxxxxx"', "secrets.yaml:2:15: the secret access_token is an example", file="secrets.yaml"),
    Row("change me", '"wild boars dance at noon"', '"changeme"', "secrets.yaml:3:15: the secret verify_token is an example", file="secrets.yaml"),
    Row("the shipped instructions", INSTRUCTIONS, "Address: 12 Example Street,\n  Exampletown.\n", "sara.yaml:22:19: responders.assistant.instructions holds the example", file="instructions.md"),
    # secrets
    Row("a leading blank", '"EAAGm0PX4ZCps"', '" EAAGm0PX4ZCps"', "secrets.yaml:2:15: the secret access_token begins with a blank", file="secrets.yaml"),
    Row("a tab behind", '"EAAGm0PX4ZCps"', '"EAAGm0PX4ZCps\\t"', "secrets.yaml:2:15: the secret access_token ends with a blank", file="secrets.yaml"),
    Row("an invisible mark", '"0f1e2d3c4b5a"', '"\\u200b0f1e2d3c4b5a"', "secrets.yaml:1:13: the secret app_secret begins with a character that cannot be seen", file="secrets.yaml"),
    Row("quotes within quotes", '"0f1e2d3c4b5a"', "'\"0f1e2d3c4b5a\"'", "secrets.yaml:1:13: the secret app_secret stands in quotation marks", file="secrets.yaml"),
    Row("a whole header", '"0f1e2d3c4b5a"', '"Bearer 0f1e2d3c4b5a"', "secrets.yaml:1:13: the secret app_secret begins with the word Bearer", file="secrets.yaml"),
    Row("a blank in the file itself", "!secret access_token", '"  EAAGm0"', "sara.yaml:13:19: channels.shop.access_token begins with a blank"),
    Row("a token in the open", "!secret access_token", "EAAGm0PX4ZCps", "sara.yaml:13:19: channels.shop.access_token is a secret, and stands in this file; move it to secrets.yaml, and write access_token: !secret", W),
    Row("a key in the open", "!secret openai_api_key", '"sk-proj-Qz81"', "sara.yaml:21:14: responders.assistant.api_key is a secret, and stands in this file", W),
    Row("a secret of several in the open", "!secret app_secret", "[!secret app_secret, 99f1e2]", "sara.yaml:12:38: channels.shop.app_secret is a secret, and stands in this file", W),
    # addresses
    Row("the webhook's path in the address", "bakery.de", "bakery.de/webhook/messages", "sara.yaml:3:15: server.public_url ends with the path of the webhook of channels.shop, which is added to it; write https://bot.lindenbaum-bakery.de"),
    Row("a prefix and the webhook's path", "bakery.de", "bakery.de/sara/webhook/messages", "sara.yaml:3:15: server.public_url ends with the path of the webhook"),
    Row("another path in the address", "bakery.de", "bakery.de/sara", "sara.yaml:3:15: server.public_url has a path: /sara is expected", W),
    Row("a slash at its end", "bakery.de", "bakery.de/"),
    Row("no https", "https://bot", "http://bot", "sara.yaml:3:15: server.public_url is not an https address", W),
    Row("an address of the network", "bot.lindenbaum-bakery.de", "192.168.1.20", "sara.yaml:3:15: server.public_url is an address of this machine", W),
    Row("a name of the network", "bot.lindenbaum-bakery.de", "shop.local", "sara.yaml:3:15: server.public_url is an address of this machine", W),
    Row("no version", "timeout: 60s", "base_url: http://127.0.0.1:11434", "sara.yaml:23:15: responders.assistant.base_url has no path, but most servers answer below /v1; write http://127.0.0.1:11434/v1", W),
    Row("no version, with a slash", "timeout: 60s", "base_url: https://llm.lindenbaum-bakery.de/", "sara.yaml:23:15: responders.assistant.base_url has no path", W),
    Row("a version", "timeout: 60s", "base_url: http://127.0.0.1:11434/v1/"),
    Row("a server that needs none", "timeout: 60s", "base_url: https://api.deepseek.com"),
    Row("another kind of path", "timeout: 60s", "base_url: https://generativelanguage.googleapis.com/v1beta/openai/"),
    Row("the whole endpoint", "timeout: 60s", "base_url: http://127.0.0.1:8000/v1/chat/completions", "sara.yaml:23:15: responders.assistant.base_url ends with /chat/completions, which is added to it; write http://127.0.0.1:8000/v1"),
    # figures
    Row("more than Meta grants", "throughput: 80", "throughput: 1001", "sara.yaml:16:17: channels.shop.throughput must be at most 1000"),
    Row("all that Meta grants", "throughput: 80", "throughput: 1000"),
    Row("a question after the window", "after: 20h", "after: 24h", "sara.yaml:29:22: conversation.follow_up: after 1d nothing can be asked any more on shop"),
    Row("long after the window", "after: 20h", "after: 3d", "sara.yaml:29:22: conversation.follow_up: after 3d"),
    Row("a channel's own question", "throughput: 80", "conversation: {follow_up: {after: 30h}}", "sara.yaml:16:39: channels.shop.conversation.follow_up: after 30h"),
    Row("no price for the model", "{gpt-5:", "{gpt-4o:", "sara.yaml:32:3: budget.prices has no price for gpt-5-mini, which responders.assistant uses: the ceiling"),
    Row("no price and no ceiling", "month: {money: 20}\n  prices: {gpt-5:", "month: {calls: 9}\n  prices: {gpt-4o:", "sara.yaml:32:3: budget.prices has no price for gpt-5-mini, which responders.assistant uses: its use counts as free", W),
    # names of what is not there
    Row("a tool that nobody brings", "[handoff]", "[handoff, order_bread]", "sara.yaml:26:20: conversation.tools: no plugin registers the tool order_bread; there is handoff"),
    Row("a tool with a slip", "[handoff]", "[handover]", "sara.yaml:26:11: conversation.tools: no plugin registers the tool handover; did you mean handoff?"),
    Row("a channel's own tool", "throughput: 80", "conversation: {tools: [fly]}", "sara.yaml:16:28: channels.shop.conversation.tools: no plugin registers the tool fly"),
    Row("a helper that is not there", "state: ./state", "plugins: [ledger]", "sara.yaml:4:11: plugins: there is no plugin ledger"),
    Row("a plugin with a slip", "plugin: openai", "plugin: opnai", "sara.yaml:19:13: responders.assistant: there is no plugin opnai; did you mean openai?"),
    # people
    Row("a name for a number", '"+49 170 9941372"', '"Lena"', "sara.yaml:28:33: conversation.handoff.notify.to is no number or id that shop can write to"),
    Row("an address of mail", '"+49 170 9941372"', '"lena@bakery.de"', "sara.yaml:28:33: conversation.handoff.notify.to is no number or id"),
    Row("a number that is too short", '"+49 170 9941372"', '"4917"', "sara.yaml:28:33: conversation.handoff.notify.to is no number or id"),
    Row("an id of WhatsApp's", '"+49 170 9941372"', '"DE.9f3k2LmQ"'),
    Row("a number for an id", "109000000000551", "4930123456", "sara.yaml:9:22: channels.shop.phone_number_id looks like a phone number", W),
    Row("one id for two", "109000000000553", "109000000000551", "sara.yaml:11:13: channels.shop.app_id is the same as phone_number_id"),
    # this machine
    Row("a file for the state", "state: ./state", "state: ./secrets.yaml", "sara.yaml:4:8: state: {folder}/secrets.yaml is not a folder"),
    Row("a file on the way to it", "state: ./state", "state: ./secrets.yaml/x", "sara.yaml:4:8: state: {folder}/secrets.yaml/x cannot be made in {folder}/secrets.yaml"),
    # missing quotation marks: told where they are missing
    Row("an id without its end", '"109000000000551"', '"109000000000551', "sara.yaml:9:22: this quotation mark is never closed"),
    Row("an id without its beginning", '"109000000000551"', '109000000000551"', "sara.yaml:9:22: this text ends with a quotation mark, and none begins it"),
    Row("the last one of the file", '"+49 170 9941372"', '"+49 170 9941372', "sara.yaml:28:33: this quotation mark is never closed"),
    Row("one of the other kind", '"109000000000552"', "'109000000000552", "sara.yaml:10:26: this quotation mark is never closed"),
    Row("one of several", '"109000000000551"\n', '"109000000000551\n', "sara.yaml:9:22: this quotation mark is never closed"),
    Row("an apostrophe", "model: gpt-5-mini", "model: 'Lena's'", "sara.yaml:20:18: the text in quotes ends before this"),
    Row("a mark within", "model: gpt-5-mini", 'model: "a"b"', "sara.yaml:20:15: the text in quotes ends before this"),
    Row("a secret without its end", '"0f1e2d3c4b5a"', '"0f1e2d3c4b5a', "secrets.yaml:1:13: this quotation mark is never closed", file="secrets.yaml"),
    Row("the third secret", '"wild boars dance at noon"', '"wild boars dance at noon', "secrets.yaml:3:15: this quotation mark is never closed", file="secrets.yaml"),
    Row("a secret without its beginning", '"sk-proj-Qz81LmTu"', 'sk-proj-Qz81LmTu"', "secrets.yaml:4:17: this text ends with a quotation mark", file="secrets.yaml"),
    # forms, in words
    Row("a version of another form", "v26.0", "twenty-six", "sara.yaml:15:18: channels.shop.api_version has the wrong form; for example v26.0."),
    Row("an id of another form", '"109000000000551"', '"+49 170"', "sara.yaml:9:22: channels.shop.phone_number_id has the wrong form; for example 106540352242922."),
    Row("a path of another form", "/webhook/messages", "webhook messages", "sara.yaml:8:14: channels.shop.webhook has the wrong form; for example /webhook/messages."),
    Row("a template of another form", "throughput: 80", "template: {name: We have news, language: en_US}", "sara.yaml:16:22: channels.shop.template.name has the wrong form; for example we_have_news."),
    Row("its language", "throughput: 80", "template: {name: we_have_news, language: English}", "sara.yaml:16:46: channels.shop.template.language has the wrong form; for example en_US."),
)  # fmt: skip

REGULAR_EXPRESSION = re.compile(r"\[[a-zA-Z0-9]-[a-zA-Z0-9]|\\[dwsb]|\(\?|\{\d+,\d*\}|\^\S*\$|[*+]\$")
SHOWN = (
    # (old, new, what must be seen in the printed line, what must not)
    ("throughput: 80", "troughput: 80", "troughput: 80", ""),
    ("listen: 127.0.0.1:8080", "lissen: 127.0.0.1:8080", "lissen: 127.0.0.1:8080", ""),
    ("model: gpt-5-mini", "modell: gpt-5-mini", "modell: gpt-5-mini", ""),
    ("debounce: 1s", "queit: 1s", "queit: 1s", ""),
    ("tools: [handoff]", "bogus: true", "bogus: true", ""),
    ("tools: [handoff]", "history: 40", "history: 40", ""),
    ("{gpt-5:", "{gpt-4o:", "prices: {gpt-4o: {input: 0.25, output: 2}}", ""),
    ("tools: [handoff]", "tools: [handoff   # what it may do", "handoff:", ""),
    ('"109000000000551"', '"109000000000551', 'phone_number_id: "109000000000551', ""),
    ("!secret access_token", "[EAAGsecret]", "access_token: [***]", "EAAGsecret"),
    ("access_token: !secret access_token", "acces_token: EAAGsecret", "acces_token: ***", "EAAGsecret"),
    ("api_key: !secret openai_api_key", "apikey: 12345", "apikey: ***", "12345"),
    ("throughput: 80", "password: hunter2", "password: ***", "hunter2"),
    ("throughput: 80", "pin: 4711", "pin: ***", "4711"),
    ("throughput: 80", "typing: {access_token: EAAGsecret}", "typing:", "EAAGsecret"),
    ("verify_token: !secret verify_token", 'verify_token: "EAAGsecret', "verify_token: ***", "EAAGsecret"),
)  # fmt: skip


def laid_out(folder: Path, file: str = "", old: str = "", new: str = "") -> Path:
    """A right configuration with one change."""
    folder.mkdir()
    for name, text in (("sara.yaml", GOOD), ("secrets.yaml", SECRETS), ("instructions.md", INSTRUCTIONS)):
        assert name != file or old in text, old
        (folder / name).write_text(text.replace(old, new, 1) if name == file else text, encoding="utf-8")
    (folder / "secrets.yaml").chmod(0o600)
    return folder / "sara.yaml"


def found(file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    code = check(file, strict=False, as_json=True)
    return code, json.loads(capsys.readouterr().out)["findings"]


def headline(finding: dict[str, Any]) -> str:
    """A finding as it is printed, its file by its name alone."""
    told = f"{Path(finding['file']).name}:{finding['line']}:{finding['column']}: {finding['message']}"
    return told + (f"; {finding['hint']}" if finding["hint"] else "")


def test_each_fault_is_named_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, row in enumerate(ROWS):
        folder = tmp_path / str(number)
        code, findings = found(laid_out(folder, row.file, row.old, row.new), capsys)
        told = [headline(each) for each in findings]
        expected = row.told.replace("{folder}", str(folder))
        if not row.told:
            assert (code, told) == (0, []), (row.what, told)
            continue
        about = [each for each in findings if headline(each).startswith(expected)]
        assert about, (row.what, told)
        assert code == int(row.error), (row.what, told)
        assert len({(each["line"], each["column"], each["file"]) for each in findings}) == 1 or "quotation" in row.told, (
            row.what,
            told,
        )
        assert not any(REGULAR_EXPRESSION.search(each) for each in told), (row.what, told)


def test_secrets_are_hidden_in_what_is_printed_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, (old, new, seen, unseen) in enumerate(SHOWN):
        assert check(laid_out(tmp_path / str(number), "sara.yaml", old, new), strict=False, as_json=False) == 1
        printed = capsys.readouterr().out
        assert seen in printed, (new, printed)
        assert not unseen or unseen not in printed, (new, printed)


def test_a_state_folder_that_this_user_cannot_write_is_named(tmp_path: Path) -> None:
    """Root may write everywhere: the command runs without that right, on a folder of somebody else."""
    if os.geteuid() != 0 or (setpriv := shutil.which("setpriv")) is None:
        pytest.skip("only root can give a folder away, and setpriv takes the right from it to write there")
    file = laid_out(tmp_path / "shop")
    state = tmp_path / "shop" / "state"
    for place, message in (
        (state, "cannot be written by this user"),
        (tmp_path / "shop", f"cannot be made in {tmp_path}/shop by this user"),
    ):
        place.mkdir(exist_ok=True)
        os.chown(place, 65_534, 65_534)
        words = [setpriv, "--bounding-set=-dac_override", "--", sys.executable, "-m", "sara", "check", "--json", "-c", str(file)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        told = [headline(each) for each in json.loads(done.stdout)["findings"]]
        assert told == [
            f"sara.yaml:4:8: state: {state} {message}; let the user that runs SARA own it, and run this as that user or as root"
        ]
        assert done.returncode == 1
        if state.exists():
            state.rmdir()


def test_the_shipped_files_name_each_value_that_has_to_be_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("sara.yaml", "instructions.md"):
        shutil.copy(HOME / name, tmp_path / name)
    shutil.copy(HOME / "secrets.yaml.example", tmp_path / "secrets.yaml")
    (tmp_path / "secrets.yaml").chmod(0o600)
    code, findings = found(tmp_path / "sara.yaml", capsys)
    assert code == 1
    lines = (tmp_path / "sara.yaml").read_text(encoding="utf-8").splitlines()
    named = {lines[each["line"] - 1].split("#")[0].split(":")[0].strip() for each in findings}
    assert named == {
        "public_url", "phone_number_id", "business_account_id", "app_id", "app_secret", "access_token", "verify_token", "api_key",
        "instructions",
    }  # fmt: skip
