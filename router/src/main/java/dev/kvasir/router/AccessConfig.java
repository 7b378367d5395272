package dev.kvasir.router;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigValueType;
import dev.kvasir.protocol.tls.PemFiles;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Who may come in by the doors, and how: a part of {@code kvasir.router}, read once at start.
 *
 * @param keys that clients may show; none here and in the file lets everybody in
 * @param keyFile with a key in each line
 * @param tls the doors' certificate
 */
public record AccessConfig(List<ApiKey> keys, Optional<Path> keyFile, Optional<PemFiles> tls) {
    private static final String KEYS = "kvasir.router.api-keys";

    /** Everybody, in plain text. */
    public static final AccessConfig OPEN = new AccessConfig(List.of(), Optional.empty(), Optional.empty());

    public AccessConfig {
        keys = List.copyOf(keys);
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
                tls(section));
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
