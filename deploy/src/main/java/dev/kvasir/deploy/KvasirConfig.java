package dev.kvasir.deploy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import dev.kvasir.kvstore.KvStoreConfig;
import dev.kvasir.kvstore.transfer.TransferSettings;
import dev.kvasir.protocol.tls.Certificates;
import dev.kvasir.protocol.tls.PemFiles;
import dev.kvasir.router.MigrationConfig;
import dev.kvasir.router.RouterConfig;
import dev.kvasir.worker.SharingConfig;
import dev.kvasir.worker.StreamSettings;
import dev.kvasir.worker.WorkerConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * All settings of a process, read once at start.
 *
 * @param home folder of the installation, where bundled models lie
 * @param model folder of the model
 * @param servedModelName name that clients ask for
 * @param dataDir folder for what this member leaves behind
 * @param restartsPerHour times that a member whose worker broke may start anew
 * @param warmUpTimeout bound of the time spent warming up before serving; zero for no warm-up
 * @param doorsWarmUp what a router does of the kind
 * @param tls certificates, where members talk with those alone who show one of the same authority
 * @param status of members without doors for clients
 * @param pekko settings of the user for Pekko itself
 */
public record KvasirConfig(
        Path home,
        Path model,
        String servedModelName,
        Set<Role> roles,
        Path dataDir,
        int restartsPerHour,
        Duration warmUpTimeout,
        DoorsWarmUpConfig doorsWarmUp,
        ClusterConfig cluster,
        Optional<PemFiles> tls,
        StatusConfig status,
        RouterConfig router,
        MigrationConfig migration,
        WorkerConfig worker,
        StreamSettings streams,
        SharingConfig sharing,
        KvStoreConfig kvstore,
        Config pekko) {

    public KvasirConfig {
        roles = Set.copyOf(roles);
        if (roles.isEmpty()) {
            throw new IllegalArgumentException(
                    "kvasir.roles is empty but must name some of router, worker and kvstore");
        }
        if (servedModelName.length() > 256 || servedModelName.chars().anyMatch(c -> c <= ' ' || c == 0x7f)) {
            throw new IllegalArgumentException("kvasir.served-model-name is '" + servedModelName
                    + "' but must have 1..256 characters without spaces");
        }
        if (restartsPerHour < 0 || restartsPerHour > 1000) {
            throw new IllegalArgumentException(
                    "kvasir.restarts-per-hour is " + restartsPerHour + " but must be 0..1000");
        }
        if (warmUpTimeout.isNegative()) {
            throw new IllegalArgumentException(
                    "kvasir.warm-up-timeout is " + warmUpTimeout + " but must not be negative");
        }
    }

    /** Reads settings from flags, environment, the user's file and the reference; refuses what cannot be. */
    static KvasirConfig load(@Nullable Path file, Map<String, String> environment, Map<Settings.Flag, String> flags) {
        return load(Settings.load(file, environment, flags), flags);
    }

    static KvasirConfig load(Settings settings, Map<Settings.Flag, String> flags) {
        try {
            return from(settings.kvasir(), settings.pekko());
        } catch (ConfigException e) {
            throw new ConfigurationException(
                    String.valueOf(e.getMessage()).replace("has type STRING rather than NUMBER", "is not a number"), e);
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new ConfigurationException(withFlag(String.valueOf(e.getMessage()), flags), e);
        }
    }

    private static KvasirConfig from(Config kvasir, Config pekko) {
        var home = Path.of(kvasir.getString("home")).toAbsolutePath().normalize();
        var model = orElse(kvasir, "model", Path::of, home.resolve("model/demo"))
                .toAbsolutePath()
                .normalize();
        var folderName =
                model.getFileName() == null ? "model" : model.getFileName().toString();
        var cluster = ClusterConfig.from(kvasir.getConfig("cluster"));
        return new KvasirConfig(
                home,
                model,
                orElse(kvasir, "served-model-name", Function.identity(), folderName.replaceAll("[\\s\\p{Cntrl}]", "-")),
                roles(kvasir),
                orElse(kvasir, "data-dir", Path::of, home.resolve(".kvasir/data")),
                kvasir.getInt("restarts-per-hour"),
                kvasir.getDuration("warm-up-timeout"),
                DoorsWarmUpConfig.from(kvasir, kvasir.getDuration("warm-up-timeout")),
                cluster,
                tls(kvasir.getConfig("tls")),
                StatusConfig.from(kvasir.getConfig("status")),
                RouterConfig.from(kvasir.getConfig("router")),
                MigrationConfig.from(kvasir.getConfig("router.migration"), cluster.lease()),
                WorkerConfig.from(kvasir.getConfig("worker")),
                StreamSettings.from(kvasir.getConfig("worker.streams"), cluster.lease()),
                SharingConfig.from(kvasir.getConfig("worker.sharing")),
                KvStoreConfig.from(kvasir.getConfig("kvstore")),
                pekko);
    }

    /** All three files, or none. */
    private static Optional<PemFiles> tls(Config section) {
        var certificate = section.getString("certificate");
        var key = section.getString("key");
        var ca = section.getString("ca");
        if (certificate.isEmpty() && key.isEmpty() && ca.isEmpty()) {
            return Optional.empty();
        }
        if (certificate.isEmpty() || key.isEmpty() || ca.isEmpty()) {
            throw new IllegalArgumentException(
                    "kvasir.tls has certificate '%s', key '%s' and ca '%s' but must have all of them, or none"
                            .formatted(certificate, key, ca));
        }
        return Optional.of(new PemFiles("kvasir.tls", Path.of(certificate), Path.of(key), Optional.of(Path.of(ca))));
    }

    private static Set<Role> roles(Config kvasir) {
        var roles = EnumSet.noneOf(Role.class);
        Settings.words(kvasir, "roles").forEach(word -> roles.add(Role.parse(word)));
        return roles;
    }

    private static <T> T orElse(Config config, String key, Function<String, T> read, T otherwise) {
        var text = config.getString(key);
        return text.isEmpty() ? otherwise : read.apply(text);
    }

    /** Adds the flag that set the key at fault. */
    private static String withFlag(String message, Map<Settings.Flag, String> flags) {
        for (var flag : flags.keySet()) {
            if (message.startsWith(flag.key() + " ")) {
                return flag.name() + ": " + message;
            }
        }
        return message;
    }

    /** Bound of a drain: the router's, then the worker's with the hand-over of its blocks, and some time around them. */
    Duration drainTimeoutMax() {
        return router.drainTimeout()
                .multipliedBy(2)
                .plus(streams.resumeWait())
                .plus(sharing.handOverTimeout())
                .plusSeconds(10);
    }

    /** Where the KV transfer services of this member are. */
    TransferSettings transferSettings() {
        return new TransferSettings(cluster.listenHost(), cluster.host(), tls.map(Certificates::open));
    }

    /** Whether this process has the role. */
    public boolean has(Role role) {
        return roles.contains(role);
    }
}
