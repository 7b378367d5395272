package dev.kvasir.model.jinja;

import java.util.List;
import java.util.regex.Pattern;

/** Python's {@code string % values}. */
final class PercentFormat {
    private static final Pattern CONVERSION =
            Pattern.compile("(?s)%(?:\\(([^)]*)\\))?([-+ #0]*)(\\*|\\d{1,9})?(?:\\.(\\*|\\d{0,9}))?[hlL]?(.)");

    private final Budget budget;
    private final Printer printer;

    PercentFormat(Budget budget, Printer printer) {
        this.budget = budget;
        this.printer = printer;
    }

    Text format(Text format, Object values) {
        List<Object> positional =
                values instanceof Seq seq && seq.kind() == Seq.Kind.TUPLE ? seq.items() : List.of(values);
        var out = new TextBuilder(budget);
        var conversions = CONVERSION.matcher(format.value());
        int from = 0;
        int next = 0;
        while (true) {
            int percent = format.value().indexOf('%', from);
            if (percent < 0) {
                break;
            }
            if (!conversions.find(percent) || conversions.start() != percent) {
                throw TemplateException.value("incomplete format");
            }
            out.append(format, from, percent);
            from = conversions.end();
            char type = conversions.group(5).charAt(0);
            if (type == '%') {
                out.append("%");
                continue;
            }
            Object value;
            if (conversions.group(1) != null) {
                value = named(values, conversions.group(1));
            } else if (next < positional.size()) {
                value = positional.get(next++);
            } else {
                throw TemplateException.value("not enough arguments for a format string");
            }
            out.append(converted(value, conversions.group(2), conversions.group(3), conversions.group(4), type));
        }
        if (next < positional.size()
                && !(values instanceof Dict)
                && (next > 0 || !(values instanceof Seq seq) || seq.kind() == Seq.Kind.TUPLE)) {
            throw TemplateException.value("not all arguments were converted by a format string");
        }
        return out.append(format, from, format.value().length()).build();
    }

    private static Object named(Object values, String name) {
        Object value = values instanceof Dict dict ? dict.entries().get(Text.own(name)) : null;
        if (value != null) {
            return value;
        }
        throw TemplateException.value("a format string names '%s', which is not given".formatted(name));
    }

    private Text converted(Object value, String flags, String width, String precision, char type) {
        if ("*".equals(width) || "*".equals(precision)) {
            throw TemplateException.value("'*' is not supported in a format string");
        }
        String places = precision == null ? "" : "." + (precision.isEmpty() ? "0" : precision);
        boolean left = flags.contains("-");
        String size = width == null ? "" : width;
        return switch (type) {
            case 's', 'r', 'a' -> {
                Text text = printer.str(value);
                if (type != 's') {
                    var out = new TextBuilder(budget);
                    printer.repr(value, out);
                    text = out.build();
                }
                yield FormatSpec.parse((left ? "<" : ">") + size + places).format(text, printer);
            }
            case 'd', 'i', 'u', 'x', 'X', 'o', 'e', 'E', 'f', 'F', 'g', 'G' -> {
                if (!Values.isNumber(value)) {
                    throw TemplateException.value(
                            "%%%s needs a number, not '%s'".formatted(type, Values.typeName(value)));
                }
                boolean integral = "diuxXo".indexOf(type) >= 0;
                Object number = value instanceof Boolean truth ? (Object) (truth ? 1L : 0L) : value;
                number = integral && number instanceof Double real ? TextFilters.truncated(real) : number;
                String spec = (left ? "<" : flags.contains("0") ? "0=" : ">")
                        + (flags.contains("+") ? "+" : flags.contains(" ") ? " " : "")
                        + (flags.contains("#") ? "#" : "")
                        + size
                        + (integral ? "" : places)
                        + (type == 'i' || type == 'u' ? 'd' : type);
                yield FormatSpec.parse(spec).format(number, printer);
            }
            case 'c' -> {
                yield value instanceof Long point ? Text.own(Character.toString(point.intValue())) : printer.str(value);
            }
            default -> throw TemplateException.value("unsupported format character '%s'".formatted(type));
        };
    }
}
