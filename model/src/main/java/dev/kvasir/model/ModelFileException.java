package dev.kvasir.model;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A file of a model that cannot be served, with what is wrong: {@code file: key = value: why}. */
public final class ModelFileException extends RuntimeException {
    private static final int SHOWN_VALUE_MAX = 120;

    private final String file;
    private final String key;

    /**
     * @param key the configuration key, tensor name or part of the file at fault; empty for the whole file
     * @param value what was found there, or null where nothing was
     * @param why what was expected
     */
    public ModelFileException(Path file, String key, @Nullable Object value, String why) {
        super(message(file, key, value, why));
        this.file = file.toString();
        this.key = key;
    }

    public String file() {
        return file;
    }

    public String key() {
        return key;
    }

    private static String message(Path file, String key, @Nullable Object value, String why) {
        var message = new StringBuilder().append(file).append(": ");
        if (!key.isEmpty()) {
            message.append(shortened(key));
            if (value != null) {
                message.append(" = ").append(shortened(value.toString()));
            }
            message.append(": ");
        }
        return message.append(why).toString();
    }

    private static String shortened(String text) {
        var printable = text.codePoints()
                .map(c -> Character.isISOControl(c) || Character.getType(c) == Character.FORMAT ? '?' : c)
                .limit(SHOWN_VALUE_MAX)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append);
        return printable.length() < text.length() && text.length() > SHOWN_VALUE_MAX
                ? printable + "..."
                : printable.toString();
    }
}
