package dev.kvasir.model.jinja;

/** Python's {@code str.format}, with plain names and positions only. */
final class BraceFormat {
    private final Budget budget;
    private final Printer printer;

    BraceFormat(Budget budget, Printer printer) {
        this.budget = budget;
        this.printer = printer;
    }

    Text format(Text format, Arguments arguments) {
        var out = new TextBuilder(budget);
        String value = format.value();
        int next = 0;
        int from = 0;
        for (int at = 0; at < value.length(); at++) {
            char c = value.charAt(at);
            if (c != '{' && c != '}') {
                continue;
            }
            out.append(format, from, at);
            if (at + 1 < value.length() && value.charAt(at + 1) == c) {
                out.append(format, at, at + 1);
                at++;
                from = at + 1;
                continue;
            }
            int end = value.indexOf('}', at);
            if (c == '}' || end < 0) {
                throw TemplateException.value("a single '%s' in a format string".formatted(c));
            }
            String field = value.substring(at + 1, end);
            if (field.isEmpty() || field.charAt(0) == ':' || field.charAt(0) == '!') {
                field = next++ + field;
            }
            out.append(field(field, arguments));
            at = end;
            from = end + 1;
        }
        return out.append(format, from, value.length()).build();
    }

    private Text field(String field, Arguments arguments) {
        int colon = field.indexOf(':');
        String name = colon < 0 ? field : field.substring(0, colon);
        String spec = colon < 0 ? "" : field.substring(colon + 1);
        boolean repr = name.endsWith("!r");
        if (repr || name.endsWith("!s")) {
            name = name.substring(0, name.length() - 2);
        }
        Object value = value(name, arguments);
        if (repr) {
            var out = new TextBuilder(budget);
            printer.repr(value, out);
            value = out.build();
        }
        return FormatSpec.parse(spec).format(value, printer);
    }

    private static Object value(String name, Arguments arguments) {
        Object value = arguments.named().get(name);
        if (value != null) {
            return value;
        }
        if (!name.isEmpty() && name.length() < 6 && name.chars().allMatch(c -> c >= '0' && c <= '9')) {
            int position = Integer.parseInt(name);
            if (position < arguments.positional().size()) {
                return arguments.positional().get(position);
            }
        }
        throw TemplateException.value("a format string asks for '%s', which is not given".formatted(name));
    }
}
