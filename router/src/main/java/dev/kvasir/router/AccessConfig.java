package dev.kvasir.router;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigValueType;
import dev.kvasir.protocol.Limits;
import dev.kvasir.protocol.tls.PemFiles;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Who may come in by the doors, and how: a part of {@code kvasir.router}, read once at start.
 *
 * @param keys that clients may show; none here and in the file lets everybody in
 * @param keyFile with a key in each line
 * @param tls the doors' certificate
 * @param allowedOrigins whose web pages may use the HTTP door from a browser; {@code *} is any
 */
public record AccessConfig(
        List<ApiKey> keys, Optional<Path> keyFile, Optional<PemFiles> tls, Set<String> allowedOrigins) {
    private static final String KEYS = "kvasir.router.api-keys";
    private static final String ORIGINS = "allowed-origins";
    /** As browsers name them: no path, not even a slash at the end. */
    private static final Pattern ORIGIN = Pattern.compile("[a-z][a-z0-9+.-]*://[^/\\s\\p{Cntrl}]{1,256}");

    /** Everybody, in plain text. */
    public static final AccessConfig OPEN = new AccessConfig(List.of(), Optional.empty(), Optional.empty(), Set.of());

    public AccessConfig {
        keys = List.copyOf(keys);
        allowedOrigins = Set.copyOf(allowedOrigins);
    }

    /** Whether requests need a key. */
    public boolean needsKey() {
        return !keys.isEmpty() || keyFile.isPresent();
    }

    static AccessConfig from(Config section) {
        var entries = entries(section);
        return new AccessConfig(
                IntStream.range(0, entries.size())
                        .mapToObj(i -> ApiKey.parse(entries.get(i), "%s[%d]".formatted(KEYS, i)))
                        .toList(),
                path(section, "api-key-file"),
                tls(section),
                origins(section));
    }

    private static Set<String> origins(Config section) {
        var entries = section.getValue(ORIGINS).valueType() == ConfigValueType.LIST
                ? section.getStringList(ORIGINS)
                : Arrays.stream(section.getString(ORIGINS).split(",", -1))
                        .map(String::strip)
                        .filter(entry -> !entry.isEmpty())
                        .toList();
        for (var origin : entries) {
            if (!origin.equals("*") && !ORIGIN.matcher(origin).matches()) {
                throw new IllegalArgumentException(
                        "kvasir.router.allowed-origins has '%s' but origins are like https://chat.example.org:8443, or *"
                                .formatted(Limits.shorten(origin)));
            }
        }
        return Set.copyOf(entries);
    }

    private static List<String> entries(Config section) {
        if (section.getValue("api-keys").valueType() == ConfigValueType.LIST) {
            return section.getStringList("api-keys");
        }
        var text = section.getString("api-keys").strip();
        if (text.equals("[]")) { // As flags and variables write it.
            return List.of();
        }
        var entries = Arrays.stream(text.split(",", -1))
                .filter(entry -> !entry.isBlank())
                .toList();
        if (entries.isEmpty()) { // Most likely a variable that should have held a key.
            throw new IllegalArgumentException(KEYS + " is blank but must name a key; [] lets everybody in");
        }
        return entries;
    }

    private static Optional<Path> path(Config section, String key) {
        return Optional.of(section.getString(key))
                .filter(text -> !text.isEmpty())
                .map(Path::of);
    }

    private static Optional<PemFiles> tls(Config section) {
        var certificate = path(section, "ssl-certfile");
        var key = path(section, "ssl-keyfile");
        if (certificate.isPresent() != key.isPresent()) {
            throw new IllegalArgumentException(
                    "kvasir.router.ssl-certfile is '%s' and kvasir.router.ssl-keyfile '%s' but both must be named, or none"
                            .formatted(section.getString("ssl-certfile"), section.getString("ssl-keyfile")));
        }
        return certificate.map(
                file -> new PemFiles("kvasir.router.ssl-certfile", file, key.orElseThrow(), Optional.empty()));
    }
}
