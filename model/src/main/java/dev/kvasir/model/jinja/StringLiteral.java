package dev.kvasir.model.jinja;

/** Escapes in string literals, as Python's {@code unicode_escape}. */
final class StringLiteral {
    private StringLiteral() {}

    static String value(String written, int line) {
        if (written.indexOf('\\') < 0) {
            return written;
        }
        var out = new StringBuilder();
        for (int i = 0; i < written.length(); i++) {
            char c = written.charAt(i);
            if (c != '\\' || i + 1 == written.length()) {
                out.append(c);
                continue;
            }
            char escape = written.charAt(++i);
            switch (escape) {
                case '\n' -> {}
                case '\\', '\'', '"' -> out.append(escape);
                case 'a' -> out.append('\u0007');
                case 'b' -> out.append('\b');
                case 'f' -> out.append('\f');
                case 'n' -> out.append('\n');
                case 'r' -> out.append('\r');
                case 't' -> out.append('\t');
                case 'v' -> out.append('\u000B');
                case 'x' -> i = hexadecimal(written, i, 2, out, line);
                case 'u' -> i = hexadecimal(written, i, 4, out, line);
                case 'U' -> i = hexadecimal(written, i, 8, out, line);
                case '0', '1', '2', '3', '4', '5', '6', '7' -> i = octal(written, i, out);
                default -> out.append('\\').append(escape);
            }
        }
        return out.toString();
    }

    private static int hexadecimal(String written, int at, int digits, StringBuilder out, int line) {
        try {
            out.appendCodePoint(Integer.parseInt(written.substring(at + 1, at + 1 + digits), 16));
            return at + digits;
        } catch (IllegalArgumentException | IndexOutOfBoundsException _) {
            throw TemplateException.syntax(
                    line, "an escape in a string lacks its %d hexadecimal digits".formatted(digits));
        }
    }

    private static int octal(String written, int at, StringBuilder out) {
        int end = at;
        int value = 0;
        while (end < written.length() && end < at + 3 && written.charAt(end) >= '0' && written.charAt(end) <= '7') {
            value = 8 * value + written.charAt(end++) - '0';
        }
        out.append((char) value);
        return end - 1;
    }
}
