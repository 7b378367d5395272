package dev.kvasir.protocol;

/**
 * What a worker is asked to do: continue {@code prompt}. Both doors make this one type, so a limit is checked once.
 *
 * @param model served model name
 * @param prompt token ids, at least one; not to be modified by anyone
 * @param cacheSalt requests with different salts never share KV blocks; may be empty
 * @param priority lower runs earlier
 * @param tenant whom it is served for
 */
@SuppressWarnings("ArrayRecordComponent") // An immutable prompt of many thousand tokens is shared, never compared.
public record GenerationRequest(
        RequestId id,
        String model,
        int[] prompt,
        SamplingParameters sampling,
        String cacheSalt,
        int priority,
        Tenant tenant) {

    public static final int PRIORITY_MAX = 100;
    public static final int CACHE_SALT_MAX = 1024;

    /** For no tenant in particular. */
    public GenerationRequest(
            RequestId id, String model, int[] prompt, SamplingParameters sampling, String cacheSalt, int priority) {
        this(id, model, prompt, sampling, cacheSalt, priority, Tenant.NONE);
    }

    public GenerationRequest {
        Limits.require(prompt.length >= 1, "prompt", "empty", "at least one token");
        Limits.require(priority >= -PRIORITY_MAX && priority <= PRIORITY_MAX, "priority", priority, "in [-100, 100]");
        Limits.require(
                cacheSalt.length() <= CACHE_SALT_MAX,
                "cache_salt",
                cacheSalt.length() + " characters",
                "at most 1024 characters");
    }
}
