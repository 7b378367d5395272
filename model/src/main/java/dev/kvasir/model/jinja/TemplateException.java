package dev.kvasir.model.jinja;

/** A template that cannot be compiled or rendered, with the line of the template where that showed. */
public final class TemplateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** The template is not valid, or asks for what is not available. */
        SYNTAX,
        /** The template does not fit the values it was given. */
        VALUE,
        /** The template itself refused the values, by {@code raise_exception}; the message is the template's own. */
        RAISED,
        /** A limit was reached. */
        LIMIT
    }

    private final Kind kind;
    private final String reason;
    private final int line;

    private TemplateException(Kind kind, String reason, int line) {
        super(line > 0 && kind != Kind.RAISED ? "line " + line + ": " + reason : reason, null, false, false);
        this.kind = kind;
        this.reason = reason;
        this.line = line;
    }

    static TemplateException syntax(int line, String reason) {
        return new TemplateException(Kind.SYNTAX, reason, line);
    }

    static TemplateException value(String reason) {
        return new TemplateException(Kind.VALUE, reason, 0);
    }

    static TemplateException raised(String reason) {
        return new TemplateException(Kind.RAISED, reason, 0);
    }

    static TemplateException limit(String reason) {
        return new TemplateException(Kind.LIMIT, reason, 0);
    }

    public Kind kind() {
        return kind;
    }

    /** Line of the template, from 1; 0 where none is known. */
    public int line() {
        return line;
    }

    /** The same at a line, unless it has one already. */
    TemplateException at(int here) {
        return line > 0 ? this : new TemplateException(kind, reason, here);
    }
}
