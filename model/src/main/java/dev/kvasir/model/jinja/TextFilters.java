package dev.kvasir.model.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/** Jinja's filters of texts and numbers. */
final class TextFilters {
    static final Set<String> NAMES = Set.of(
            "abs",
            "capitalize",
            "center",
            "e",
            "escape",
            "float",
            "forceescape",
            "format",
            "indent",
            "int",
            "lower",
            "replace",
            "round",
            "safe",
            "string",
            "title",
            "tojson",
            "trim",
            "truncate",
            "upper",
            "urlencode",
            "wordcount");
    private static final Pattern WORD = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern INTEGER = Pattern.compile("[+-]?\\d+(?:_\\d+)*");
    private static final Pattern FLOAT = Pattern.compile(
            "[+-]?(?:(?:\\d[\\d_]*\\.?[\\d_]*|\\.\\d[\\d_]*)(?:[eE][+-]?\\d+)?|(?i:inf(?:inity)?|nan))");
    private static final int INTEGER_DIGITS_MAX = 4300;

    private final Budget budget;
    private final Printer printer;
    private final TextMethods methods;
    private final PercentFormat format;

    TextFilters(Budget budget, Printer printer, TextMethods methods, PercentFormat format) {
        this.budget = budget;
        this.printer = printer;
        this.methods = methods;
        this.format = format;
    }

    Object apply(String name, Object input, Arguments arguments) {
        return switch (name) {
            case "abs" -> absolute(number(input, name));
            case "float" -> toFloat(input, arguments.bind(name, "default"));
            case "int" -> toInteger(input, arguments.bind(name, "default", "base"));
            case "round" -> round(number(input, name), arguments.bind(name, "precision", "method"));
            case "tojson" -> Json.write(input, arguments, budget);
            case "format" ->
                format.format(
                        printer.str(input),
                        arguments.named().isEmpty()
                                ? new Seq(Seq.Kind.TUPLE, arguments.positional())
                                : dict(arguments));
            case "truncate" -> {
                var bound = arguments.bind(name, "length", "killwords", "end", "leeway");
                boolean fits = (input instanceof Seq || input instanceof Dict)
                        && Values.length(input) <= (long) bound.integer(0, 255) + bound.integer(3, 5);
                yield fits ? input : truncate(string(name, input), bound);
            }
            case "indent" -> text(name, string(name, input), arguments);
            default -> text(name, printer.str(input), arguments);
        };
    }

    private static Text string(String filter, Object input) {
        if (input instanceof Text text) {
            return text;
        }
        throw input instanceof Undefined undefined
                ? undefined.error()
                : TemplateException.value("%s needs a string, not '%s'".formatted(filter, Values.typeName(input)));
    }

    private Object text(String name, Text text, Arguments arguments) {
        budget.spendFor(text.value().length());
        return switch (name) {
            case "capitalize" -> TextMethods.capitalize(text);
            case "center" -> {
                Object width = arguments.bind(name, "width").or(0, 80L);
                yield methods.call(text, name, new Arguments(java.util.List.of(width), java.util.Map.of()));
            }
            case "e", "escape", "forceescape" -> escaped(text);
            case "indent" -> indent(text, arguments.bind(name, "width", "first", "blank"));
            case "lower" -> TextMethods.lower(text);
            case "replace" -> {
                var bound = arguments.bind(name, "old", "new", "count");
                Text old = printer.str(bound.required(0));
                Text with = printer.str(bound.required(1));
                boolean all = bound.or(2, None.NONE) == None.NONE;
                yield methods.replace(text, old, with, all ? -1 : bound.integer(2, -1));
            }
            case "safe", "string" -> text;
            case "title" -> title(text);
            case "trim" -> TextMethods.strip(text, true, true, arguments.bind(name, "chars"));
            case "upper" -> TextMethods.upper(text);
            case "urlencode" ->
                text.derived(URLEncoder.encode(text.value(), StandardCharsets.UTF_8)
                        .replace("+", "%20")
                        .replace("*", "%2A")
                        .replace("%2F", "/")
                        .replace("%7E", "~"));
            case "wordcount" -> WORD.matcher(text.value()).results().count();
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static Dict dict(Arguments arguments) {
        var dict = new Dict();
        arguments.named().forEach((key, value) -> dict.entries().put(Text.own(key), value));
        return dict;
    }

    private static Object number(Object input, String filter) {
        if (input instanceof Undefined undefined) {
            throw undefined.error();
        }
        if (!Values.isNumber(input)) {
            throw TemplateException.value("%s needs a number, not '%s'".formatted(filter, Values.typeName(input)));
        }
        return input instanceof Boolean truth ? (Object) (truth ? 1L : 0L) : input;
    }

    private static Object absolute(Object number) {
        return switch (number) {
            case Double real -> Math.abs(real);
            case BigInteger big -> big.abs();
            default -> Values.integer(BigInteger.valueOf((Long) number).abs());
        };
    }

    private static Object toFloat(Object input, Arguments.Bound bound) {
        Object otherwise = bound.or(0, 0.0);
        return switch (input) {
            case Undefined undefined -> throw undefined.error();
            case Text text -> {
                String value = text.value().strip();
                yield FLOAT.matcher(value).matches() ? (Object) parsedFloat(value) : otherwise;
            }
            default -> Values.isNumber(input) ? (Object) Operators.number(input) : otherwise;
        };
    }

    private static double parsedFloat(String value) {
        String lower = value.replace("_", "").toLowerCase(Locale.ROOT);
        if (lower.contains("n")) {
            double special = lower.contains("nan") ? Double.NaN : Double.POSITIVE_INFINITY;
            return lower.startsWith("-") ? -special : special;
        }
        return Double.parseDouble(lower);
    }

    private static Object toInteger(Object input, Arguments.Bound bound) {
        Object otherwise = bound.or(0, 0L);
        return switch (input) {
            case Undefined undefined -> throw undefined.error();
            case Boolean truth -> {
                yield truth ? 1L : 0L;
            }
            case Double number -> {
                yield Double.isNaN(number) || Double.isInfinite(number) ? otherwise : truncated(number);
            }
            case Text text -> {
                String value = text.value().strip();
                int base = bound.integer(1, 10);
                try {
                    if (value.length() <= INTEGER_DIGITS_MAX
                            && (base != 10 || INTEGER.matcher(value).matches())) {
                        yield Values.integer(new BigInteger(digits(value, base), base));
                    }
                } catch (NumberFormatException _) {
                    yield otherwise;
                }
                if (FLOAT.matcher(value).matches()) {
                    double number = parsedFloat(value);
                    yield Double.isNaN(number) || Double.isInfinite(number) ? otherwise : truncated(number);
                }
                yield otherwise;
            }
            default -> {
                yield Values.isInteger(input) ? input : otherwise;
            }
        };
    }

    private static String digits(String value, int base) {
        String plain = value.replace("_", "").toLowerCase(Locale.ROOT);
        String prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "";
        return !prefix.isEmpty() && plain.startsWith(prefix) ? plain.substring(2) : plain;
    }

    static Object truncated(double number) {
        return Values.integer(new BigDecimal(number).toBigInteger());
    }

    private static Object round(Object number, Arguments.Bound bound) {
        int precision = bound.integer(0, 0);
        String method = bound.has(1) ? bound.text(1).value() : "common";
        if (method.equals("common")) {
            return number instanceof Double real
                    ? (Object) Python.round(real, precision)
                    : roundedInteger(number, precision);
        }
        double scale = Math.pow(10, precision);
        double scaled = Operators.number(number) * scale;
        return switch (method) {
            case "ceil" -> Math.ceil(scaled) / scale;
            case "floor" -> Math.floor(scaled) / scale;
            default -> throw TemplateException.value("round knows common, ceil and floor, not '%s'".formatted(method));
        };
    }

    private static Object roundedInteger(Object number, int precision) {
        if (precision >= 0) {
            return number;
        }
        var exact = new BigDecimal(number.toString());
        return Values.integer(exact.setScale(Math.max(precision, -5000), RoundingMode.HALF_EVEN)
                .toBigInteger());
    }

    private Text escaped(Text text) {
        var out = new TextBuilder(budget);
        int from = 0;
        for (int i = 0; i < text.value().length(); i++) {
            String escape = switch (text.value().charAt(i)) {
                case '&' -> "&amp;";
                case '<' -> "&lt;";
                case '>' -> "&gt;";
                case '"' -> "&#34;";
                case '\'' -> "&#39;";
                default -> "";
            };
            if (!escape.isEmpty()) {
                out.append(text, from, i).append(text.chars(i, i + 1).derived(escape));
                from = i + 1;
            }
        }
        return out.append(text, from, text.value().length()).build();
    }

    private Text indent(Text text, Arguments.Bound bound) {
        Text indention = bound.or(0, 4L) instanceof Text given
                ? given
                : Text.own(" ".repeat(Math.clamp(bound.integer(0, 4), 0, 10_000)));
        boolean first = bound.truth(1, false);
        boolean blank = bound.truth(2, false);
        var lines = TextMethods.lines(
                new TextBuilder(budget).append(text).append("\n").build(), false);
        var out = new TextBuilder(budget);
        for (int i = 0; i < lines.size(); i++) {
            out.append(i > 0 ? "\n" : "");
            if (i == 0 ? first : blank || !lines.get(i).isEmpty()) {
                out.append(indention);
            }
            out.append(lines.get(i));
        }
        return out.build();
    }

    private static Text title(Text text) {
        var out = new StringBuilder();
        boolean begins = true;
        for (int c : text.value().codePoints().toArray()) {
            String letter = Character.toString(c);
            out.append(begins ? letter.toUpperCase(Locale.ROOT) : letter.toLowerCase(Locale.ROOT));
            begins = c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || Python.isSpace(c);
        }
        return text.mapped(out.toString());
    }

    private Text truncate(Text text, Arguments.Bound bound) {
        int length = bound.integer(0, 255);
        Text end = bound.has(2) ? bound.text(2) : Text.own("...");
        int leeway = bound.or(3, None.NONE) == None.NONE ? 5 : bound.integer(3, 5);
        if (length < end.length() || leeway < 0) {
            throw TemplateException.value("truncate needs a length of at least that of its end");
        }
        if (text.length() <= (long) length + leeway) {
            return text;
        }
        Text cut = text.points(0, length - end.length());
        if (!bound.truth(1, false)) {
            int space = cut.value().lastIndexOf(' ');
            cut = space < 0 ? cut : cut.chars(0, space);
        }
        return new TextBuilder(budget).append(cut).append(end).build();
    }
}
