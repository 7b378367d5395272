package dev.kvasir.protocol;

/** A request that can never be answered as it stands. The message names the field, what it is, and what it may be. */
public final class BadRequestException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String field;

    public BadRequestException(String field, String message) {
        super(message, null, false, false);
        this.field = field;
    }

    /** Path of the field at fault, such as {@code logit_bias[7]}; empty where no one field is at fault. */
    public String field() {
        return field;
    }
}
