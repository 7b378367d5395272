package dev.kvasir.model.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The methods of Python's {@code str}. */
final class TextMethods {
    static final Set<String> NAMES = Set.of(
            "strip",
            "lstrip",
            "rstrip",
            "split",
            "rsplit",
            "splitlines",
            "title",
            "capitalize",
            "startswith",
            "endswith",
            "lower",
            "upper",
            "casefold",
            "swapcase",
            "replace",
            "join",
            "find",
            "rfind",
            "index",
            "rindex",
            "count",
            "format",
            "removeprefix",
            "removesuffix",
            "isdigit",
            "isdecimal",
            "isnumeric",
            "isalpha",
            "isalnum",
            "isspace",
            "isupper",
            "islower",
            "istitle",
            "zfill",
            "ljust",
            "rjust",
            "center",
            "partition",
            "rpartition");

    private static final Set<String> WITHOUT_ARGUMENTS = Set.of(
            "title",
            "capitalize",
            "lower",
            "upper",
            "casefold",
            "swapcase",
            "isdigit",
            "isdecimal",
            "isnumeric",
            "isalpha",
            "isalnum",
            "isspace",
            "isupper",
            "islower",
            "istitle");

    private final Budget budget;
    private final Printer printer;

    TextMethods(Budget budget, Printer printer) {
        this.budget = budget;
        this.printer = printer;
    }

    Object call(Text text, String name, Arguments arguments) {
        budget.spendFor(text.value().length());
        if (WITHOUT_ARGUMENTS.contains(name)) {
            arguments.bind(name);
        }
        String value = text.value();
        return switch (name) {
            case "strip" -> strip(text, true, true, arguments.bind(name, "chars"));
            case "lstrip" -> strip(text, true, false, arguments.bind(name, "chars"));
            case "rstrip" -> strip(text, false, true, arguments.bind(name, "chars"));
            case "split" -> split(text, arguments.bind(name, "sep", "maxsplit"));
            case "rsplit" -> rsplit(text, arguments.bind(name, "sep", "maxsplit"));
            case "splitlines" -> splitLines(text, arguments.bind(name, "keepends"));
            case "title" -> title(text);
            case "capitalize" -> capitalize(text);
            case "startswith" -> affix(text, arguments.bind(name, "prefix", "start", "end"), true);
            case "endswith" -> affix(text, arguments.bind(name, "suffix", "start", "end"), false);
            case "lower", "casefold" -> lower(text);
            case "upper" -> upper(text);
            case "swapcase" -> swapCase(text);
            case "replace" -> {
                var bound = arguments.bind(name, "old", "new", "count");
                yield replace(text, bound.text(0), bound.text(1), bound.integer(2, -1));
            }
            case "join" -> join(text, arguments.bind(name, "iterable").required(0));
            case "find" -> find(text, arguments.bind(name, "sub", "start", "end"), false);
            case "rfind" -> find(text, arguments.bind(name, "sub", "start", "end"), true);
            case "index" -> found(find(text, arguments.bind(name, "sub", "start", "end"), false));
            case "rindex" -> found(find(text, arguments.bind(name, "sub", "start", "end"), true));
            case "count" -> count(text, arguments.bind(name, "sub", "start", "end"));
            case "format" -> new BraceFormat(budget, printer).format(text, arguments);
            case "removeprefix" -> {
                String prefix = arguments.bind(name, "prefix").text(0).value();
                yield value.startsWith(prefix) ? text.chars(prefix.length(), value.length()) : text;
            }
            case "removesuffix" -> {
                String suffix = arguments.bind(name, "suffix").text(0).value();
                yield value.endsWith(suffix) ? text.chars(0, value.length() - suffix.length()) : text;
            }
            case "isdigit", "isdecimal", "isnumeric" -> all(text, Character::isDigit);
            case "isalpha" -> all(text, Character::isLetter);
            case "isalnum" -> all(text, Character::isLetterOrDigit);
            case "isspace" -> all(text, Python::isSpace);
            case "isupper" -> cased(value, Character::isUpperCase, Character::isLowerCase);
            case "islower" -> cased(value, Character::isLowerCase, Character::isUpperCase);
            case "istitle" ->
                !value.isEmpty()
                        && value.equals(title(text).value())
                        && value.chars().anyMatch(Character::isLetter);
            case "zfill" -> zeroFilled(text, arguments.bind(name, "width").integer(0, 0));
            case "ljust" -> justified(text, arguments.bind(name, "width", "fillchar"), 0);
            case "rjust" -> justified(text, arguments.bind(name, "width", "fillchar"), 2);
            case "center" -> justified(text, arguments.bind(name, "width", "fillchar"), 1);
            case "partition" -> partition(text, arguments.bind(name, "sep").text(0), false);
            case "rpartition" -> partition(text, arguments.bind(name, "sep").text(0), true);
            default -> throw TemplateException.value("'str' has no method '%s'".formatted(name));
        };
    }

    static Text strip(Text text, boolean left, boolean right, Arguments.Bound bound) {
        if (!bound.has(0) || bound.required(0) == None.NONE) {
            return text.strip(left, right);
        }
        String set = bound.text(0).value();
        return text.strip(left, right, c -> set.indexOf(c) >= 0);
    }

    static Text lower(Text text) {
        return text.mapped(text.value().toLowerCase(Locale.ROOT));
    }

    static Text upper(Text text) {
        return text.mapped(text.value().toUpperCase(Locale.ROOT));
    }

    static Text capitalize(Text text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = Character.charCount(text.value().codePointAt(0));
        return text.mapped(titled(text.value().substring(0, first))
                + text.value().substring(first).toLowerCase(Locale.ROOT));
    }

    private static String titled(String letter) {
        return letter.equals("ß") ? "Ss" : Character.toString(Character.toTitleCase(letter.codePointAt(0)));
    }

    private static Text title(Text text) {
        var out = new StringBuilder();
        boolean within = false;
        for (int c : text.value().codePoints().toArray()) {
            boolean cased = Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
            String letter = Character.toString(c);
            out.append(within ? letter.toLowerCase(Locale.ROOT) : titled(letter));
            within = cased;
        }
        return text.mapped(out.toString());
    }

    private static Text swapCase(Text text) {
        var out = new StringBuilder();
        text.value().codePoints().forEach(c -> {
            String letter = Character.toString(c);
            out.append(
                    Character.isUpperCase(c)
                            ? letter.toLowerCase(Locale.ROOT)
                            : Character.isLowerCase(c) ? letter.toUpperCase(Locale.ROOT) : letter);
        });
        return text.mapped(out.toString());
    }

    private static boolean all(Text text, IntPredicate kind) {
        return !text.isEmpty() && text.value().codePoints().allMatch(kind);
    }

    /** Whether there are letters of one case and none of the other. */
    static boolean cased(String value, IntPredicate wanted, IntPredicate unwanted) {
        return value.codePoints().anyMatch(wanted)
                && value.codePoints().noneMatch(c -> unwanted.test(c) || Character.isTitleCase(c));
    }

    Text replace(Text text, Text old, Text with, int count) {
        int left = count < 0 ? Integer.MAX_VALUE : count;
        String value = text.value();
        var out = new TextBuilder(budget);
        int from = 0;
        if (old.isEmpty()) {
            while (left-- > 0 && from <= value.length()) {
                out.append(with);
                if (from == value.length()) {
                    return out.build();
                }
                int next = from + Character.charCount(value.codePointAt(from));
                out.append(text, from, next);
                from = next;
            }
            return out.append(text, from, value.length()).build();
        }
        for (int at = value.indexOf(old.value()); at >= 0 && left-- > 0; at = value.indexOf(old.value(), from)) {
            out.append(text, from, at).append(with);
            from = at + old.value().length();
        }
        return from == 0 ? text : out.append(text, from, value.length()).build();
    }

    private Text join(Text separator, Object items) {
        var out = new TextBuilder(budget);
        boolean further = false;
        for (var rest = Values.iterator(items); rest.hasNext(); ) {
            if (!(rest.next() instanceof Text text)) {
                throw TemplateException.value("str.join needs strings");
            }
            out.append(further ? separator : Text.EMPTY).append(text);
            further = true;
        }
        return out.build();
    }

    private Object split(Text text, Arguments.Bound bound) {
        int left = bound.integer(1, -1) < 0 ? Integer.MAX_VALUE : bound.integer(1, -1);
        var parts = new ArrayList<Object>();
        String value = text.value();
        if (!bound.has(0) || bound.required(0) == None.NONE) {
            splitBlanks(text, left, parts);
        } else {
            String separator = separator(bound.text(0));
            int from = 0;
            for (int at = value.indexOf(separator); at >= 0 && left-- > 0; at = value.indexOf(separator, from)) {
                parts.add(text.chars(from, at));
                from = at + separator.length();
            }
            parts.add(text.chars(from, value.length()));
        }
        budget.spend(parts.size());
        return Seq.list(parts);
    }

    private static void splitBlanks(Text text, int limit, List<Object> parts) {
        int left = limit;
        String value = text.value();
        int at = 0;
        while (true) {
            while (at < value.length() && Python.isSpace(value.charAt(at))) {
                at++;
            }
            if (at == value.length()) {
                return;
            }
            if (left-- == 0) {
                parts.add(text.chars(at, value.length()));
                return;
            }
            int from = at;
            while (at < value.length() && !Python.isSpace(value.charAt(at))) {
                at++;
            }
            parts.add(text.chars(from, at));
        }
    }

    private Object rsplit(Text text, Arguments.Bound bound) {
        int left = bound.integer(1, -1) < 0 ? Integer.MAX_VALUE : bound.integer(1, -1);
        String value = text.value();
        var parts = new ArrayList<Object>();
        int to = value.length();
        if (!bound.has(0) || bound.required(0) == None.NONE) {
            while (true) {
                while (to > 0 && Python.isSpace(value.charAt(to - 1))) {
                    to--;
                }
                if (to == 0) {
                    break;
                }
                if (left-- == 0) {
                    parts.addFirst(text.chars(0, to));
                    break;
                }
                int from = to;
                while (from > 0 && !Python.isSpace(value.charAt(from - 1))) {
                    from--;
                }
                parts.addFirst(text.chars(from, to));
                to = from;
            }
        } else {
            String separator = separator(bound.text(0));
            for (int at = value.lastIndexOf(separator, to - separator.length()); at >= 0 && left-- > 0; ) {
                parts.addFirst(text.chars(at + separator.length(), to));
                to = at;
                at = to < separator.length() ? -1 : value.lastIndexOf(separator, to - separator.length());
            }
            parts.addFirst(text.chars(0, to));
        }
        budget.spend(parts.size());
        return Seq.list(parts);
    }

    private static String separator(Text text) {
        if (text.isEmpty()) {
            throw TemplateException.value("an empty separator");
        }
        return text.value();
    }

    private static Object splitLines(Text text, Arguments.Bound bound) {
        return Seq.list(List.copyOf(lines(text, bound.truth(0, false))));
    }

    /** The lines of a text, the last one only where it is not empty. */
    static List<Text> lines(Text text, boolean keepEnds) {
        String value = text.value();
        var lines = new ArrayList<Text>();
        int from = 0;
        for (int at = 0; at < value.length(); at++) {
            if (Python.isLineEnd(value.charAt(at))) {
                int end = at;
                if (value.charAt(at) == '\r' && at + 1 < value.length() && value.charAt(at + 1) == '\n') {
                    at++;
                }
                lines.add(text.chars(from, keepEnds ? at + 1 : end));
                from = at + 1;
            }
        }
        if (from < value.length()) {
            lines.add(text.chars(from, value.length()));
        }
        return lines;
    }

    private static boolean affix(Text text, Arguments.Bound bound, boolean prefix) {
        Text part = stretch(text, bound);
        if (part == null) {
            return false;
        }
        List<Object> wanted = bound.required(0) instanceof Seq seq && seq.kind() == Seq.Kind.TUPLE
                ? seq.items()
                : List.of(bound.text(0));
        for (Object one : wanted) {
            if (!(one instanceof Text affix)) {
                throw TemplateException.value("startswith and endswith need strings");
            }
            if (prefix ? part.value().startsWith(affix.value()) : part.value().endsWith(affix.value())) {
                return true;
            }
        }
        return false;
    }

    /** The stretch from the second argument to the third; null where it would begin beyond the end. */
    private static @Nullable Text stretch(Text text, Arguments.Bound bound) {
        if (!bound.has(1) && !bound.has(2)) {
            return text;
        }
        int length = text.length();
        int start = place(bound.or(1, None.NONE), 0, length);
        int end = Math.min(place(bound.or(2, None.NONE), length, length), length);
        return start > end ? null : text.points(start, end);
    }

    private static int place(Object given, int otherwise, int length) {
        if (given == None.NONE) {
            return otherwise;
        }
        int place = Values.smallInteger(given, "a position");
        return place < 0 ? Math.max(0, place + length) : place;
    }

    private static long find(Text text, Arguments.Bound bound, boolean last) {
        Text part = stretch(text, bound);
        if (part == null) {
            return -1;
        }
        String wanted = bound.text(0).value();
        int at = last ? part.value().lastIndexOf(wanted) : part.value().indexOf(wanted);
        return at < 0
                ? -1
                : part.value().codePointCount(0, at) + (long) place(bound.or(1, None.NONE), 0, text.length());
    }

    private static long found(long place) {
        if (place < 0) {
            throw TemplateException.value("substring not found");
        }
        return place;
    }

    private static long count(Text text, Arguments.Bound bound) {
        Text part = stretch(text, bound);
        if (part == null) {
            return 0;
        }
        String wanted = bound.text(0).value();
        if (wanted.isEmpty()) {
            return part.length() + 1L;
        }
        long count = 0;
        for (int at = part.value().indexOf(wanted); at >= 0; at = part.value().indexOf(wanted, at + wanted.length())) {
            count++;
        }
        return count;
    }

    private Text zeroFilled(Text text, int width) {
        int missing = width - text.length();
        if (missing <= 0) {
            return text;
        }
        budget.checkLength(width);
        boolean signed = text.value().startsWith("-") || text.value().startsWith("+");
        return new TextBuilder(budget)
                .append(text, 0, signed ? 1 : 0)
                .append("0".repeat(missing))
                .append(text, signed ? 1 : 0, text.value().length())
                .build();
    }

    /** @param side 0 to keep the text at the left, 1 in the middle, 2 at the right */
    private Text justified(Text text, Arguments.Bound bound, int side) {
        int width = bound.integer(0, 0);
        int missing = width - text.length();
        if (missing <= 0) {
            return text;
        }
        budget.checkLength(width);
        Text fill = bound.has(1) ? bound.text(1) : Text.own(" ");
        if (fill.length() != 1) {
            throw TemplateException.value("the fill character must be one character");
        }
        // As CPython centres: an odd rest goes left where the width is odd.
        int left = side == 0 ? 0 : side == 2 ? missing : missing / 2 + (missing & width & 1);
        return new TextBuilder(budget)
                .append(fill.value().repeat(left))
                .append(text)
                .append(fill.value().repeat(missing - left))
                .build();
    }

    private static Seq partition(Text text, Text separator, boolean last) {
        String wanted = separator(separator);
        int at = last ? text.value().lastIndexOf(wanted) : text.value().indexOf(wanted);
        if (at < 0) {
            return last ? Seq.tuple(Text.EMPTY, Text.EMPTY, text) : Seq.tuple(text, Text.EMPTY, Text.EMPTY);
        }
        return Seq.tuple(
                text.chars(0, at),
                separator,
                text.chars(at + wanted.length(), text.value().length()));
    }
}
