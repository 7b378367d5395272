package dev.kvasir.protocol;

/**
 * For whom a request is served: service is shared fairly between tenants. The key that a client shows says it; where routers ask
 * for none, who stands before them and knows, such as a gateway.
 *
 * @param name empty for requests that name none, which are one tenant together
 * @param salt in the names of the tenant's KV blocks, so that nobody else uses them; empty where they are shared
 */
public record Tenant(String name, String salt) {
    public static final Tenant NONE = new Tenant("", "");

    private static final int NAME_MAX = 128;

    public Tenant {
        Limits.require(name.length() <= NAME_MAX, "tenant", name.length() + " characters", "at most 128 characters");
        Limits.require(
                salt.length() <= NAME_MAX, "tenant_salt", salt.length() + " characters", "at most 128 characters");
        Limits.require(
                name.chars().allMatch(c -> c > 0x20 && c < 0x7f), "tenant", name, "printable ASCII without spaces");
    }

    /** One whose KV blocks are its own, or shared with all. */
    public static Tenant of(String name, boolean isolated) {
        return new Tenant(name, isolated ? name : "");
    }
}
