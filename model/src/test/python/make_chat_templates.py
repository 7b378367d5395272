"""Renders the chat templates and snippets of ../resources/templates with Python's jinja2 under the settings of
transformers and writes expected.json and snippets.json beside them.

Usage: python make_chat_templates.py [folder]. The output is reproducible.
"""

import json
import pathlib
import sys
from datetime import datetime

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime(2025, 7, 10, 12, 4, 5)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


def outcome(env, template, variables):
    try:
        return {"text": env.from_string(template).render(**variables)}
    except jinja2.exceptions.TemplateError as e:
        raised = type(e) is jinja2.exceptions.TemplateError
        return {"raised": str(e)} if raised else {"fails": f"{type(e).__name__}: {e}"}
    except Exception as e:
        return {"fails": f"{type(e).__name__}: {e}"}


SYSTEM = {"role": "system", "content": "Be brief. "}
USER = {"role": "user", "content": "  What is 2 + 2?\n"}
ASSISTANT = {"role": "assistant", "content": "<think>\neasy\n</think>\n\nFour. "}
AGAIN = {"role": "user", "content": "Sure? <|im_end|> \"quoted\" 日本 😀 & <b>"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {
    "name": "add", "arguments": {"a": 2, "b": 2.5, "note": "é \"x\"\n", "deep": {"list": [1, [], {}, None, True]}}}}]}
CALL_TEXT = {"role": "assistant", "content": "Let me see.", "tool_calls": [
    {"type": "function", "function": {"name": "add", "arguments": "{\"a\": 1}"}},
    {"type": "function", "function": {"name": "sub", "arguments": {}}}]}
RESULT = {"role": "tool", "name": "add", "content": "{\"sum\": 4.5, \"unit\": \"none at all\"}"}
SECOND = {"role": "tool", "name": "sub", "content": "backwards from the end, please"}
PARTS = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " look "}]}
TOOLS = [
    {"type": "function", "function": {"name": "add", "description": "Adds <two> numbers & more", "parameters": {
        "type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number", "minimum": 1e-7}},
        "required": ["a", "b"]}}},
    {"type": "function", "function": {"name": "now", "description": "What's the time?", "parameters": {}}}]
DOCUMENTS = [{"title": "the second book", "text": "Line one\nline two\n\nline four"}, {"title": "A first", "text": "x"}]

CONVERSATIONS = {
    "one": {"messages": [USER]},
    "system": {"messages": [SYSTEM, USER]},
    "three": {"messages": [USER, ASSISTANT, AGAIN]},
    "three with system": {"messages": [SYSTEM, USER, ASSISTANT, AGAIN]},
    "answered": {"messages": [USER, ASSISTANT], "add_generation_prompt": False},
    "reasoned": {"messages": [USER, {"role": "assistant", "content": "4", "reasoning_content": "\nhm\n"}],
                 "add_generation_prompt": False},
    "not thinking": {"messages": [USER], "enable_thinking": False},
    "two users": {"messages": [USER, AGAIN]},
    "tools": {"messages": [SYSTEM, USER], "tools": TOOLS},
    "called": {"messages": [USER, CALL, RESULT], "tools": TOOLS},
    "called twice": {"messages": [USER, CALL_TEXT, RESULT, SECOND, ASSISTANT, AGAIN], "tools": TOOLS},
    "two outputs": {"messages": [USER, CALL, RESULT, SECOND]},
    "parts": {"messages": [PARTS]},
    "documents": {"messages": [USER, ASSISTANT, AGAIN], "documents": DOCUMENTS},
    "empty content": {"messages": [{"role": "user", "content": ""}]},
    "no content": {"messages": [{"role": "user"}]},
    "no messages": {"messages": []},
}
DEFAULTS = {"tools": None, "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}

VARIABLES = {
    "s": "Hello, World", "t": "  padded\t\n", "e": "", "u": "日本語 😀x", "n": None, "yes": True, "no": False,
    "i": 7, "z": 0, "m": -3, "f": 2.5, "g": 1e16, "h": 0.1, "big": 2**70,
    "l": [3, 1, 2], "ls": ["b", "A", "c"], "d": {"b": 1, "a": [1, {"x": "y"}], "C": None}, "o": {},
    "people": [{"name": "Bo", "age": 30, "tags": ["x"]}, {"name": "al", "age": 25}, {"name": "Cy", "age": 30, "tags": []}],
    "nested": {"a": {"b": {"c": [10, 20, 30]}}}, "html": "<a href=\"x\">'&'</a>", "lines": "one\ntwo\r\n\nfour",
}


def snippets():
    """One expression a line in one file, templates with --- between in the other."""
    here = pathlib.Path(__file__)
    expressions = here.with_name("expressions.txt").read_text().splitlines()
    templates = here.with_name("snippets.txt").read_text().split("\n---\n")
    return ["{{ " + line + " }}" for line in expressions] + [text.replace("\\r", "\r") for text in templates]


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "resources/templates")
    env = environment()
    cases = []
    for path in sorted(folder.glob("*.jinja")):
        for name, given in CONVERSATIONS.items():
            variables = DEFAULTS | given
            cases.append({"template": path.name, "case": name, "variables": variables,
                          **outcome(env, path.read_text(), variables)})
    dump(folder / "expected.json", {"cases": cases})
    dump(folder / "snippets.json", {"variables": VARIABLES, "snippets": [
        {"template": text, **outcome(env, text, VARIABLES)} for text in snippets()]})
    print(len(cases), sum("text" in c for c in cases), sum("raised" in c for c in cases))


def dump(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
