package dev.kvasir.model.jinja;

import dev.kvasir.model.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts a template into tokens under the settings of Hugging Face: {@code trim_blocks} (a newline after a block is
 * dropped), {@code lstrip_blocks} (so are blanks before a block that begins its line), and the one newline at the very
 * end is dropped.
 */
final class Lexer {
    private static final Pattern NUMBER = Pattern.compile("(0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+)"
            + "|((?<!\\.)(?:\\d+_)*\\d+(?:(?:\\.(?:\\d+_)*\\d+)?[eE][+\\-]?(?:\\d+_)*\\d+|\\.(?:\\d+_)*\\d+))"
            + "|([1-9](?:_?\\d)*|0(?:_?0)*)");
    private static final Pattern RAW_BEGIN =
            Pattern.compile("\\{%[-+]?\\s*raw\\s*(-?)%\\}", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern RAW_END =
            Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%\\}", Pattern.UNICODE_CHARACTER_CLASS);
    private static final String[] OPERATORS = {
        "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=",
        ".", ":", "|", ",", ";"
    };

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private final StringBuilder brackets = new StringBuilder();
    private int at;
    private int line = 1;
    private boolean lineStarting = true;

    private Lexer(String source) {
        this.source = source;
    }

    static List<Token> tokens(String template) {
        String normalized = template.replace("\r\n", "\n").replace('\r', '\n');
        if (normalized.endsWith("\n")) {
            normalized = normalized.substring(0, normalized.length() - 1);
        }
        var lexer = new Lexer(normalized);
        lexer.template();
        return lexer.tokens;
    }

    private void template() {
        while (at < source.length()) {
            int open = nextOpen();
            if (open < 0) {
                data(at, source.length());
                at = source.length();
                break;
            }
            char kind = source.charAt(open + 1);
            char sign = open + 2 < source.length() ? source.charAt(open + 2) : ' ';
            data(at, strippedEnd(open, kind, sign));
            advance(open);
            switch (kind) {
                case '#' -> comment();
                case '%' -> block();
                default -> variable(sign);
            }
        }
        add(Kind.END, "");
    }

    private int nextOpen() {
        for (int i = source.indexOf('{', at); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            char next = source.charAt(i + 1);
            if (next == '{' || next == '%' || next == '#') {
                return i;
            }
        }
        return -1;
    }

    /** Where the data before an opening ends, blanks stripped as its sign and the settings say. */
    private int strippedEnd(int open, char kind, char sign) {
        if (sign == '-') {
            int end = open;
            while (end > at && Python.isSpace(source.charAt(end - 1))) {
                end--;
            }
            return end;
        }
        if (sign == '+' || kind == '{') {
            return open;
        }
        int lineStart = open;
        while (lineStart > at && source.charAt(lineStart - 1) != '\n') {
            lineStart--;
        }
        boolean begins = lineStart > at || lineStarting;
        for (int i = lineStart; i < open; i++) {
            begins &= Python.isSpace(source.charAt(i));
        }
        return begins ? lineStart : open;
    }

    private void comment() {
        int end = source.indexOf("#}", at + 2);
        if (end < 0) {
            throw TemplateException.syntax(line, "a comment has no end");
        }
        char sign = end > at + 2 ? source.charAt(end - 1) : ' ';
        advance(end + 2);
        close(sign, true);
    }

    private void block() {
        var raw = RAW_BEGIN.matcher(source).region(at, source.length());
        if (raw.lookingAt()) {
            raw(raw);
            return;
        }
        add(Kind.BLOCK_BEGIN, "{%");
        advance(at + (sign(at + 2) ? 3 : 2));
        expression(Kind.BLOCK_END, "%}");
    }

    private void raw(Matcher begin) {
        int begun = line;
        advance(begin.end());
        if (begin.group(1).equals("-")) {
            close('-', false);
        }
        var end = RAW_END.matcher(source).region(at, source.length());
        if (!end.find()) {
            throw TemplateException.syntax(begun, "a raw block has no end");
        }
        lineStarting = source.charAt(at - 1) == '\n';
        data(
                at,
                strippedEnd(
                        end.start(),
                        '%',
                        end.group(1).isEmpty() ? ' ' : end.group(1).charAt(0)));
        advance(end.end());
        close(end.group(2).isEmpty() ? ' ' : end.group(2).charAt(0), true);
    }

    private void variable(char sign) {
        add(Kind.VARIABLE_BEGIN, "{{");
        advance(at + (sign == '-' || sign == '+' ? 3 : 2));
        expression(Kind.VARIABLE_END, "}}");
    }

    private boolean sign(int place) {
        return place < source.length() && (source.charAt(place) == '-' || source.charAt(place) == '+');
    }

    /** What follows a closing: everything blank after a minus, one newline after a block. */
    private void close(char sign, boolean trims) {
        int end = at;
        if (sign == '-') {
            while (end < source.length() && Python.isSpace(source.charAt(end))) {
                end++;
            }
        } else if (trims && sign != '+' && end < source.length() && source.charAt(end) == '\n') {
            end++;
        }
        advance(end);
        lineStarting = source.charAt(at - 1) == '\n';
    }

    private void expression(Kind end, String closing) {
        brackets.setLength(0);
        while (true) {
            while (at < source.length() && Python.isSpace(source.charAt(at))) {
                advance(at + 1);
            }
            if (at >= source.length()) {
                throw TemplateException.syntax(line, "'%s' is missing".formatted(closing));
            }
            if (brackets.isEmpty() && closes(end, closing)) {
                return;
            }
            token();
        }
    }

    private boolean closes(Kind end, String closing) {
        boolean signed = sign(at) && source.startsWith(closing, at + 1);
        if (!signed && !source.startsWith(closing, at)) {
            return false;
        }
        char sign = signed ? source.charAt(at) : ' ';
        if (sign == '+' && end == Kind.VARIABLE_END) {
            return false;
        }
        add(end, closing);
        advance(at + (signed ? 3 : 2));
        close(sign, end == Kind.BLOCK_END);
        return true;
    }

    private void token() {
        char c = source.charAt(at);
        if (c == '"' || c == '\'') {
            string(c);
        } else if (c >= '0' && c <= '9') {
            number();
        } else if (Character.isUnicodeIdentifierStart(source.codePointAt(at)) || c == '_') {
            int end = at;
            while (end < source.length()
                    && Character.isUnicodeIdentifierPart(source.codePointAt(end))
                    && !Character.isIdentifierIgnorable(source.codePointAt(end))) {
                end += Character.charCount(source.codePointAt(end));
            }
            add(Kind.NAME, source.substring(at, end));
            advance(end);
        } else {
            operator();
        }
    }

    private void number() {
        var number = NUMBER.matcher(source).region(at, source.length()).useTransparentBounds(true);
        if (!number.lookingAt()) {
            throw TemplateException.syntax(line, "a number that is not one: " + source.charAt(at));
        }
        add(number.group(2) != null ? Kind.FLOAT : Kind.INTEGER, number.group().replace("_", ""));
        advance(number.end());
    }

    private void string(char quote) {
        int begun = line;
        int end = at + 1;
        while (end < source.length() && source.charAt(end) != quote) {
            end += source.charAt(end) == '\\' ? 2 : 1;
        }
        if (end >= source.length()) {
            throw TemplateException.syntax(begun, "a string has no end");
        }
        add(Kind.STRING, StringLiteral.value(source.substring(at + 1, end), begun));
        advance(end + 1);
    }

    private void operator() {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, at)) {
                balance(operator.charAt(0));
                add(Kind.OPERATOR, operator);
                advance(at + operator.length());
                return;
            }
        }
        throw TemplateException.syntax(
                line, "unexpected character '%s'".formatted(Character.toString(source.codePointAt(at))));
    }

    private void balance(char c) {
        if (c == '(' || c == '[' || c == '{') {
            brackets.append(c == '(' ? ')' : c == '[' ? ']' : '}');
        } else if (c == ')' || c == ']' || c == '}') {
            int last = brackets.length() - 1;
            if (last < 0 || brackets.charAt(last) != c) {
                throw TemplateException.syntax(line, "unexpected '%s'".formatted(c));
            }
            brackets.setLength(last);
        }
    }

    private void data(int from, int to) {
        if (from < to) {
            add(Kind.DATA, source.substring(from, to));
        }
    }

    private void add(Kind kind, String text) {
        tokens.add(new Token(kind, text, line));
    }

    private void advance(int to) {
        for (; at < to; at++) {
            if (source.charAt(at) == '\n') {
                line++;
            }
        }
    }
}
