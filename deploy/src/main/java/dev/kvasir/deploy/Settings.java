package dev.kvasir.deploy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import com.typesafe.config.ConfigValueType;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Reads settings: flags over environment over the user's file over {@code reference.conf}. The reference names every key
 * there is; a key that it does not name is refused, with the one that was probably meant.
 */
final class Settings {
    private static final String ROOT = "kvasir";
    private static final String ENVIRONMENT = "kvasir-environment";
    private static final String PEKKO = "pekko";
    private static final Set<String> SECRETS = Set.of("kvasir.router.api-keys");
    /** Blank variables and flags say nothing, but for these: a door must not stay open for want of a value. */
    private static final Set<String> GUARDS =
            Set.of("KVASIR_API_KEY", "KVASIR_API_KEYS", "KVASIR_API_KEY_FILE", "--api-key", "--api-key-file");

    private final Config config;
    private final Config reference;

    private Settings(Config config, Config reference) {
        this.config = config;
        this.reference = reference;
    }

    /**
     * Reads all sources.
     *
     * @param file the user's, or null
     * @param environment variables by name
     * @param flags values by key, where given on the command line
     */
    static Settings load(@Nullable Path file, Map<String, String> environment, Map<Flag, String> flags) {
        try {
            environment.forEach(Settings::refuseBlankGuard);
            flags.forEach((flag, value) -> refuseBlankGuard(flag.name(), value));
            var reference = ConfigFactory.parseURL(resource("reference.conf"));
            var own = file == null ? ConfigFactory.empty() : parse(file);
            refuseUnknown(own, reference);
            var fromEnvironment = reference
                    .withOnlyPath(ENVIRONMENT)
                    .withFallback(variables(environment))
                    .resolve(ConfigResolveOptions.noSystem())
                    .withOnlyPath(ENVIRONMENT);
            fromEnvironment.entrySet().forEach(entry -> refuseServiceLink(entry.getValue()));
            var all = flags(flags)
                    .withFallback(renamed(fromEnvironment))
                    .withFallback(own)
                    .withFallback(reference.withoutPath(ENVIRONMENT))
                    .resolve(ConfigResolveOptions.noSystem());
            return new Settings(all, reference.withoutPath(ENVIRONMENT).resolve(ConfigResolveOptions.noSystem()));
        } catch (ConfigException e) {
            throw new ConfigurationException(String.valueOf(e.getMessage()), e);
        }
    }

    private static Config variables(Map<String, String> environment) {
        var config = ConfigFactory.empty();
        for (var variable : environment.entrySet()) {
            var name = variable.getKey();
            if (name.matches("KVASIR_[A-Z0-9_]+") && !variable.getValue().isEmpty()) {
                config = config.withValue(name, ConfigValueFactory.fromAnyRef(variable.getValue(), name));
            }
        }
        return config;
    }

    /** For a service named kvasir Kubernetes sets KVASIR_PORT in all pods, and likewise for kvasir-grpc. */
    private static void refuseServiceLink(ConfigValue variable) {
        var value = String.valueOf(variable.unwrapped());
        if (value.startsWith("tcp://")) {
            throw new ConfigurationException(
                    "%s is %s, as Kubernetes sets it for a service, but is a setting of Kvasir; 'enableServiceLinks: false' in the pod's spec leaves such variables out"
                            .formatted(variable.origin().description(), value));
        }
    }

    private static void refuseBlankGuard(String source, String value) {
        if (GUARDS.contains(source) && value.replace(',', ' ').isBlank()) {
            throw new ConfigurationException(
                    source + " is blank but must not be; leave it out to let everybody in without a key");
        }
    }

    /** A flag and the key that it sets. */
    record Flag(String name, String key) {}

    private static Config parse(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new ConfigurationException("configuration file " + file + " does not exist");
        }
        return ConfigFactory.parseFile(
                file.toFile(), ConfigParseOptions.defaults().setAllowMissing(false));
    }

    private static URL resource(String name) {
        return Objects.requireNonNull(Settings.class.getResource(name), name);
    }

    private static Config flags(Map<Flag, String> flags) {
        var config = ConfigFactory.empty();
        for (var entry : flags.entrySet()) {
            var flag = entry.getKey();
            config = config.withValue(flag.key(), ConfigValueFactory.fromAnyRef(entry.getValue(), flag.name()));
        }
        return config;
    }

    private static Config renamed(Config environment) {
        return environment.hasPath(ENVIRONMENT)
                ? environment.getConfig(ENVIRONMENT).atPath(ROOT)
                : ConfigFactory.empty();
    }

    private static void refuseUnknown(Config own, Config reference) {
        for (var key : own.root().keySet()) {
            if (!key.equals(ROOT) && !key.equals(PEKKO)) {
                throw unknown(key, own.root().get(key), List.of(ROOT, PEKKO), "");
            }
        }
        if (own.root().get(ROOT) instanceof ConfigObject object) {
            refuseUnknown(object, reference.getObject(ROOT), ROOT + ".");
        }
    }

    private static void refuseUnknown(ConfigObject own, ConfigObject reference, String prefix) {
        for (var entry : own.entrySet()) {
            var known = reference.get(entry.getKey());
            if (known == null) {
                throw unknown(entry.getKey(), entry.getValue(), List.copyOf(reference.keySet()), prefix);
            }
            if (known instanceof ConfigObject inner && entry.getValue() instanceof ConfigObject ownInner) {
                refuseUnknown(ownInner, inner, prefix + entry.getKey() + ".");
            }
        }
    }

    private static ConfigurationException unknown(
            String key, @Nullable ConfigValue value, List<String> known, String prefix) {
        var where = value == null ? "" : value.origin().description() + ": ";
        var hint = Spelling.nearest(key, known)
                .map(name -> "did you mean " + prefix + name + "?")
                .orElseGet(() -> "known here: "
                        + known.stream().sorted().map(name -> prefix + name).collect(Collectors.joining(", ")));
        return new ConfigurationException("%sunknown key %s%s; %s".formatted(where, prefix, key, hint));
    }

    /** All of {@code kvasir}. */
    Config kvasir() {
        return config.getConfig(ROOT);
    }

    /** Settings that are not those of the reference, each with where it was made; secrets without what they say. */
    List<String> changed() {
        return config.entrySet().stream()
                .filter(entry -> !reference.hasPath(entry.getKey())
                        || !reference.getValue(entry.getKey()).equals(entry.getValue()))
                .map(entry -> "%s = %s (%s)"
                        .formatted(
                                entry.getKey(),
                                SECRETS.contains(entry.getKey())
                                        ? "(hidden)"
                                        : entry.getValue().unwrapped(),
                                entry.getValue().origin().description()))
                .sorted()
                .toList();
    }

    /** What the user says about Pekko itself; rarely anything. */
    Config pekko() {
        return config.hasPath(PEKKO) ? config.withOnlyPath(PEKKO) : ConfigFactory.empty();
    }

    /** A list, or words separated by commas as flags and environment give them. */
    static List<String> words(Config section, String key) {
        if (section.getValue(key).valueType() == ConfigValueType.LIST) {
            return section.getStringList(key);
        }
        return Arrays.stream(section.getString(key).split(",", -1))
                .map(String::strip)
                .filter(word -> !word.isEmpty())
                .toList();
    }
}
