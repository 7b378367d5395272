package dev.kvasir.model.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.regex.Pattern;

/** Python's format specification, {@code [[fill]align][sign][#][0][width][,][.precision][type]}. */
record FormatSpec(
        String fill, char align, char sign, boolean alternate, int width, String grouping, int precision, char type) {
    private static final int WIDTH_MAX = 10_000;
    private static final Pattern SPEC =
            Pattern.compile("(?s)(?:(.)?([<>=^]))?([-+ ])?(#)?(0)?(\\d{1,9})?([,_])?(?:\\.(\\d{1,9}))?([a-zA-Z%])?");

    static FormatSpec parse(String spec) {
        var parts = SPEC.matcher(spec);
        if (!parts.matches()) {
            throw TemplateException.value("invalid format '%s'".formatted(spec));
        }
        boolean zero = parts.group(5) != null;
        int width = parts.group(6) == null ? 0 : Integer.parseInt(parts.group(6));
        int precision = parts.group(8) == null ? -1 : Integer.parseInt(parts.group(8));
        if (width > WIDTH_MAX || precision > WIDTH_MAX) {
            throw TemplateException.limit("a format is wider than %d: '%s'".formatted(WIDTH_MAX, spec));
        }
        return new FormatSpec(
                parts.group(1) != null ? parts.group(1) : zero ? "0" : " ",
                parts.group(2) != null ? parts.group(2).charAt(0) : zero ? '=' : ' ',
                parts.group(3) == null ? '-' : parts.group(3).charAt(0),
                parts.group(4) != null,
                width,
                parts.group(7) == null ? "" : parts.group(7),
                precision,
                parts.group(9) == null ? ' ' : parts.group(9).charAt(0));
    }

    Text format(Object value, Printer printer) {
        if (Values.isNumber(value) && !(value instanceof Boolean && type == ' ')) {
            return Text.own(number(value));
        }
        Text text = printer.str(value);
        if (type != ' ' && type != 's') {
            throw TemplateException.value("format '%s' does not fit '%s'".formatted(type, Values.typeName(value)));
        }
        if (precision >= 0 && text.length() > precision) {
            text = text.points(0, precision);
        }
        int missing = width - text.length();
        if (missing <= 0) {
            return text;
        }
        int left = switch (align) {
            case '>', '=' -> missing;
            case '^' -> missing / 2;
            default -> 0;
        };
        return new TextBuilder(printer.budget())
                .append(fill.repeat(left))
                .append(text)
                .append(fill.repeat(missing - left))
                .build();
    }

    private String number(Object value) {
        boolean negative = Operators.order(value, 0L, "<") < 0
                || (value instanceof Double number && number == 0 && 1 / number < 0);
        String digits = digits(value);
        String prefix = alternate && Values.isInteger(value)
                ? switch (type) {
                    case 'x' -> "0x";
                    case 'X' -> "0X";
                    case 'o' -> "0o";
                    case 'b' -> "0b";
                    default -> "";
                }
                : "";
        String head = (negative ? "-" : sign == '-' ? "" : String.valueOf(sign)) + prefix;
        int missing = width - head.length() - digits.length();
        if (missing <= 0) {
            return head + digits;
        }
        return switch (align) {
            case '<' -> head + digits + fill.repeat(missing);
            case '^' -> fill.repeat(missing / 2) + head + digits + fill.repeat(missing - missing / 2);
            case '=' -> head + fill.repeat(missing) + digits;
            default -> fill.repeat(missing) + head + digits;
        };
    }

    private String digits(Object value) {
        if (Values.isInteger(value) && "bcdoxXn ".indexOf(type) >= 0) {
            var integer =
                    new BigInteger(Printer.scalar(value instanceof Boolean truth ? (truth ? 1L : 0L) : value)).abs();
            return switch (type) {
                case 'b' -> integer.toString(2);
                case 'o' -> integer.toString(8);
                case 'x' -> integer.toString(16);
                case 'X' -> integer.toString(16).toUpperCase(Locale.ROOT);
                case 'c' -> Character.toString(integer.intValue());
                default -> grouped(integer.toString());
            };
        }
        double number = Math.abs(Operators.number(value));
        if (Double.isNaN(number) || Double.isInfinite(number)) {
            return Double.isNaN(number) ? "nan" : "inf";
        }
        return switch (type) {
            case ' ' -> precision < 0 ? grouped(Python.repr(number)) : grouped(general(number, precision, true));
            case 'f', 'F' -> grouped(fixed(number, precision < 0 ? 6 : precision));
            case '%' -> fixed(number * 100, precision < 0 ? 6 : precision) + "%";
            case 'e' -> exponent(number, precision < 0 ? 6 : precision);
            case 'E' -> exponent(number, precision < 0 ? 6 : precision).toUpperCase(Locale.ROOT);
            case 'g', 'n' -> grouped(general(number, precision, false));
            case 'G' -> general(number, precision, false).toUpperCase(Locale.ROOT);
            default -> throw TemplateException.value("format '%s' does not fit a number".formatted(type));
        };
    }

    private String grouped(String digits) {
        if (grouping.isEmpty()) {
            return digits;
        }
        int point = digits.indexOf('.');
        var whole = new StringBuilder(point < 0 ? digits : digits.substring(0, point));
        for (int i = whole.length() - 3; i > 0; i -= 3) {
            whole.insert(i, grouping);
        }
        return point < 0 ? whole.toString() : whole + digits.substring(point);
    }

    static String fixed(double number, int places) {
        return new BigDecimal(number).setScale(places, RoundingMode.HALF_EVEN).toPlainString();
    }

    static String exponent(double number, int places) {
        if (number == 0) {
            return "0" + (places > 0 ? "." + "0".repeat(places) : "") + "e+00";
        }
        var rounded = new BigDecimal(number).round(new MathContext(places + 1, RoundingMode.HALF_EVEN));
        String digits = rounded.unscaledValue().toString();
        digits = digits + "0".repeat(Math.max(0, places + 1 - digits.length()));
        int exponent = rounded.precision() - rounded.scale() - 1;
        return digits.charAt(0)
                + (places > 0 ? "." + digits.substring(1, places + 1) : "")
                + "%s%02d".formatted(exponent < 0 ? "e-" : "e+", Math.abs(exponent));
    }

    private static String general(double number, int precision, boolean keepsPoint) {
        int significant = precision < 0 ? 6 : Math.max(precision, 1);
        String scientific = exponent(number, significant - 1);
        int exponent = Integer.parseInt(scientific.substring(scientific.indexOf('e') + 1));
        boolean plain = exponent >= -4 && exponent < significant - (keepsPoint ? 1 : 0);
        String text = plain
                ? fixed(number, Math.max(0, significant - 1 - exponent))
                : scientific.substring(0, scientific.indexOf('e'));
        if (text.contains(".")) {
            text = text.replaceAll("0+$", "");
            text = text.endsWith(".") ? text.substring(0, text.length() - 1) : text;
        }
        if (plain) {
            return keepsPoint && !text.contains(".") ? text + ".0" : text;
        }
        return text + scientific.substring(scientific.indexOf('e'));
    }
}
