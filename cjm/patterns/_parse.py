"""The text form of patterns: a tokenizer and a recursive-descent parser that point at the character in question."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from cjm.durations import to_us
from cjm.errors import ArgumentError, PatternError
from cjm.patterns._parts import WORD, AttributeTest, Name, Selector, Step, problem

_TOO_LARGE = 10**18

__all__ = ["parse_pattern", "parse_selector"]

_STRING = r'"(?:[^"\\]|\\.)*"'
_PART = rf"(?:\*|{_STRING}|{WORD})"
_TOKEN = re.compile(
    rf"\s*(?:(?P<arrow>->|=>)|(?P<name>{_PART}:{_PART})|(?P<string>{_STRING})|(?P<op>!=|<=|>=|<|>|=)"
    rf"|(?P<mark>[{{}}\[\],])|(?P<word>{WORD})|(?P<end>\Z))",
    re.DOTALL,
)
_FIRST_PART = re.compile(_PART, re.DOTALL)
_QUOTE_HINT = 'A touchpoint is written channel:event; quote a part with odd characters: web:"view offer"'
_DURATION_HINT = "Write a duration such as 30m, 7d or 1h30m"


def parse_pattern(text: str) -> tuple[tuple[Step, ...], int | None]:
    """Return the steps and the bound on the whole (microseconds) of a pattern in text form."""
    return _Parser(text).pattern()


def parse_selector(text: str) -> Selector:
    """Return the selector that the text of one step means."""
    parser = _Parser(text)
    selector = parser.selector()
    if parser.kind != "end":
        parser.fail("one step was expected here, and something follows it", hint=_QUOTE_HINT)
    return selector


class _Parser:
    """Holds the current token: ``kind``, ``token`` (its text) and ``start`` (its place in the text)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.start = self.stop = 0
        self.next()

    def next(self) -> str:
        """Step to the next token and return the text of the one left behind."""
        left = self.text[self.start : self.stop]
        match = _TOKEN.match(self.text, self.stop)
        if match is None:
            rest = self.text[self.stop :]
            self.start = self.stop + len(rest) - len(rest.lstrip())
            character = self.text[self.start]
            hint = "The quotation mark is never closed" if character == '"' else _QUOTE_HINT
            self.fail(f"unexpected {character!r}", hint=hint)
        assert match.lastgroup is not None
        self.kind = match.lastgroup
        self.token = match[self.kind]
        self.start, self.stop = match.span(self.kind)
        return left

    def fail(self, what: str, *, at: int | None = None, hint: str = "") -> NoReturn:
        place = self.start if at is None else at
        begin = self.text.rfind("\n", 0, place) + 1
        line = self.text[begin:].split("\n", 1)[0].replace("\t", " ")
        picture = f"{hint or 'It is here'}:\n  {line}\n  {' ' * (place - begin)}^"
        raise PatternError.at(what, where=f"pattern, character {place + 1}", hint=picture)

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.token == word

    def expect(self, kind: str, what: str, *, hint: str = "") -> str:
        if self.kind != kind:
            found = "the end" if self.kind == "end" else self.token
            self.fail(f"expected {what}, found {found}", hint=hint)
        return self.next()

    def mark(self, mark: str) -> bool:
        """Pass over ``mark`` if it is next."""
        found = self.kind == "mark" and self.token == mark
        if found:
            self.next()
        return found

    def pattern(self) -> tuple[tuple[Step, ...], int | None]:
        places = [self.start]
        step, span = self.step(strict=False)
        steps = [step]
        while self.kind == "arrow":
            if span is not None:
                self.fail('"within ... of start" bounds the whole: write it after the last step')
            strict = self.next() == "=>"
            places.append(self.start)
            step, span = self.step(strict=strict)
            steps.append(step)
        if self.kind != "end":
            self.fail(f'expected "->", "=>", "within", "after", "unless" or the end, found {self.token}')
        wrong = problem(steps, span)
        if wrong is not None:
            self.fail(wrong[1], at=places[wrong[0]])
        return tuple(steps), span

    def step(self, *, strict: bool) -> tuple[Step, int | None]:
        """Return a step and, if it is written there, the bound on the whole."""
        absent, count = False, 1
        if self.is_word("not"):
            absent = True
            self.next()
        elif self.kind == "word" and self.token.isascii() and self.token.isdigit():
            if len(self.token) > 9:
                self.fail("the count is too large")
            count = int(self.next())
            if not self.is_word("x"):
                self.fail('expected "x" after the count, as in "3 x call:failed"')
            self.next()
        what = self.selector()
        limits: dict[str, int] = {}
        unless: Selector | None = None
        while self.kind == "word" and self.token in ("within", "after", "unless"):
            place, word = self.start, self.next()
            if word == "unless":
                if unless is not None:
                    self.fail('"unless" is said twice', at=place, hint="Write a set: unless {a:b, c:d}")
                unless = self.selector()
                continue
            limit = self.duration()
            if word == "within" and self.is_word("of"):
                word = "of start"
                self.next()
                if not self.is_word("start"):
                    self.fail('expected "start" after "of"')
                self.next()
            if word in limits:
                self.fail(f'"{word}" is said twice', at=place)
            limits[word] = limit
        span = limits.pop("of start", None)
        step = Step(what, limits.get("within"), limits.get("after"), unless, strict=strict, count=count, absent=absent)
        return step, span

    def duration(self) -> int:
        place = self.start
        text = self.expect("word", "a duration", hint=_DURATION_HINT)
        try:
            return to_us(text)
        except ArgumentError:
            self.fail(f"{text} is no duration", at=place, hint=_DURATION_HINT)

    def selector(self) -> Selector:
        if self.kind == "op" and self.token == "<":
            self.fail("a Polars expression has no text form", hint="Build the pattern with cjm.pattern(...).then(...)")
        names: list[Name] = []
        if self.mark("{"):
            names.append(self.name())
            while self.mark(","):
                names.append(self.name())
            if not self.mark("}"):
                self.fail('expected "," or "}" in a set of touchpoints')
        else:
            names.append(self.name())
        tests: list[AttributeTest] = []
        if self.mark("["):
            tests.append(self.test())
            while self.mark(","):
                tests.append(self.test())
            if not self.mark("]"):
                self.fail('expected "," or "]" after an attribute test')
        return Selector(tuple(names), tuple(tests))

    def name(self) -> Name:
        place = self.start
        text = self.expect("name", "a touchpoint", hint=_QUOTE_HINT)
        match = _FIRST_PART.match(text)
        assert match is not None
        channel, event = match[0], text[match.end() + 1 :]
        return Name(self.unquote(channel, place), self.unquote(event, place + match.end() + 1))

    def unquote(self, part: str, place: int) -> str | None:
        if part == "*":
            return None
        return str(self.json(part, place)) if part.startswith('"') else part

    def json(self, text: str, place: int) -> object:
        try:
            return json.loads(text, strict=False)
        except ValueError:
            self.fail(f"cannot read {text}", at=place, hint='Inside quotes, write \\" and \\\\ for " and \\')

    def test(self) -> AttributeTest:
        place = self.start
        if self.kind not in ("word", "string"):
            self.fail("expected the name of an attribute", hint='Write a test such as [segment = "premium"]')
        attribute = self.unquote(self.next(), place)
        assert attribute is not None
        if self.is_word("in"):
            self.next()
            if not self.mark("{"):
                self.fail('expected "{" after "in"', hint='Write a set: [plan in {"basic", "plus"}]')
            values = [self.literal()]
            while self.mark(","):
                values.append(self.literal())
            if not self.mark("}"):
                self.fail('expected "," or "}" in a set of values')
            return AttributeTest(attribute, "in", tuple(sorted(set(values))))
        op = self.expect("op", "one of = != < <= > >= in")
        return AttributeTest(attribute, op, (self.literal(),))

    def literal(self) -> str:
        place = self.start
        hint = "Write text in double quotes, a number, true or false"
        if self.kind not in ("word", "string"):
            self.fail("expected a value", hint=hint)
        text = self.next()
        try:
            value = json.loads(text, strict=False)
        except ValueError:
            self.fail(f"cannot read the value {text}", at=place, hint=hint)
        if value is None:
            self.fail("a test on null would never be true", at=place, hint=hint)
        if not isinstance(value, str) and not abs(value) < _TOO_LARGE:
            self.fail(f"the number {text} is too large", at=place, hint="Numbers are below 1e18")
        return json.dumps(value, ensure_ascii=False)
