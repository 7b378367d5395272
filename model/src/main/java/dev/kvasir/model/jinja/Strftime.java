package dev.kvasir.model.jinja;

import java.time.LocalDateTime;
import java.time.format.TextStyle;
import java.time.temporal.IsoFields;
import java.util.Locale;

/** {@code strftime} in the C locale, of a time without zone. */
final class Strftime {
    private Strftime() {}

    static String format(String format, LocalDateTime time) {
        var out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 == format.length()) {
                out.append(c);
                continue;
            }
            char directive = format.charAt(++i);
            boolean plain = directive == '-' && i + 1 < format.length();
            if (plain) {
                directive = format.charAt(++i);
            }
            String text = directive(directive, time);
            out.append(plain && text.length() > 1 ? text.replaceFirst("^[0 ]+(?=.)", "") : text);
        }
        return out.toString();
    }

    private static String directive(char directive, LocalDateTime time) {
        return switch (directive) {
            case 'a' -> time.getDayOfWeek().getDisplayName(TextStyle.SHORT, Locale.ENGLISH);
            case 'A' -> time.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
            case 'b', 'h' ->
                time.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH).substring(0, 3);
            case 'B' -> time.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
            case 'c' -> format("%a %b %e %H:%M:%S %Y", time);
            case 'C' -> two(time.getYear() / 100);
            case 'd' -> two(time.getDayOfMonth());
            case 'D', 'x' -> format("%m/%d/%y", time);
            case 'e' -> "%2d".formatted(time.getDayOfMonth());
            case 'f' -> "%06d".formatted(time.getNano() / 1000);
            case 'F' -> format("%Y-%m-%d", time);
            case 'G' -> String.valueOf(time.get(IsoFields.WEEK_BASED_YEAR));
            case 'H' -> two(time.getHour());
            case 'I' -> two((time.getHour() + 11) % 12 + 1);
            case 'j' -> "%03d".formatted(time.getDayOfYear());
            case 'm' -> two(time.getMonthValue());
            case 'M' -> two(time.getMinute());
            case 'n' -> "\n";
            case 'p' -> time.getHour() < 12 ? "AM" : "PM";
            case 'r' -> format("%I:%M:%S %p", time);
            case 'R' -> format("%H:%M", time);
            case 'S' -> two(time.getSecond());
            case 't' -> "\t";
            case 'T', 'X' -> format("%H:%M:%S", time);
            case 'u' -> String.valueOf(time.getDayOfWeek().getValue());
            case 'U' -> two((time.getDayOfYear() + 6 - time.getDayOfWeek().getValue() % 7) / 7);
            case 'V' -> two(time.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR));
            case 'w' -> String.valueOf(time.getDayOfWeek().getValue() % 7);
            case 'W' -> two((time.getDayOfYear() + 6 - (time.getDayOfWeek().getValue() + 6) % 7) / 7);
            case 'y' -> two(time.getYear() % 100);
            case 'Y' -> String.valueOf(time.getYear());
            case 'z', 'Z' -> "";
            case '%' -> "%";
            default -> "%" + directive;
        };
    }

    private static String two(int number) {
        return "%02d".formatted(number);
    }
}
