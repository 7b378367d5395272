package dev.kvasir.deploy;

/** A setting that cannot be: the message names the key, its value, what it may be and where it was set. */
public final class ConfigurationException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public ConfigurationException(String message) {
        super(message);
    }

    public ConfigurationException(String message, Throwable cause) {
        super(message, cause);
    }
}
