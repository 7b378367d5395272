package dev.kvasir.protocol.tls;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The certificates that {@link PemFiles} name, as they are now: whoever makes a connection gets those of the files' latest
 * good state, which is looked for every few seconds at most. Files that are exchanged for others of no use (expired, half
 * written, key of another certificate) are reported and tried again, and those before them stay in use. For any number of threads.
 */
public final class Certificates {
    private static final Logger LOG = LoggerFactory.getLogger(Certificates.class);
    private static final Duration LOOK_EVERY = Duration.ofSeconds(10);
    private static final Duration EXPIRES_SOON = Duration.ofDays(7);
    private static final String ALIAS = "own";

    private final PemFiles files;
    private final long lookEveryNanos;
    private final Refusals refusals;
    private Loaded loaded;
    private List<FileTime> seen;
    private String complaint = "";
    private long lookedNanos;

    private Certificates(PemFiles files, Duration lookEvery) {
        this.files = files;
        this.lookEveryNanos = lookEvery.toNanos();
        this.refusals = new Refusals(files.setting());
        this.seen = times();
        this.loaded = load();
        this.lookedNanos = System.nanoTime();
    }

    /** Reads files; {@link IllegalArgumentException} says which of them is of no use, and why. */
    public static Certificates open(PemFiles files) {
        return open(files, LOOK_EVERY);
    }

    /** The same, looking for changes at other intervals. */
    public static Certificates open(PemFiles files, Duration lookEvery) {
        return new Certificates(files, lookEvery);
    }

    /** For clients without a certificate of their own: believes servers whose certificates come from {@code authority}. */
    public static SSLContext trusting(Path authority) {
        try {
            var context = SSLContext.getInstance("TLS");
            context.init(null, new TrustManager[] {trust(Pem.certificates(authority))}, null);
            return context;
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalArgumentException(authority + " is of no use: " + e.getMessage(), e);
        }
    }

    private record Loaded(SSLContext context, X509ExtendedKeyManager keys, Optional<X509ExtendedTrustManager> trust) {}

    /** Of the files' state now; a new one when they change, so that nothing is resumed that the old ones allowed. */
    public SSLContext context() {
        return current().context();
    }

    /** Key and certificate of the files' state at each handshake. */
    public X509ExtendedKeyManager keyManager() {
        return new OwnKey(() -> current().keys());
    }

    /** Authority of the files' state at each handshake; refusals are logged. */
    public X509ExtendedTrustManager trustManager() {
        return new ReportingTrust(() -> current().trust().orElseThrow(), refusals);
    }

    /** Why the other side of a connection was refused last; empty where none was. */
    public Optional<String> lastRefusal() {
        return refusals.last();
    }

    private synchronized Loaded current() {
        long now = System.nanoTime();
        if (now - lookedNanos < lookEveryNanos) {
            return loaded;
        }
        lookedNanos = now;
        try {
            var times = times();
            if (!times.equals(seen)) {
                loaded = load();
                seen = times; // Others are read again: they may be valid a little later, or readable, as they are.
                LOG.info("{}: the files have changed, and are used from now on", files.setting());
            }
            complaint = "";
        } catch (IllegalArgumentException | UncheckedIOException e) {
            complain(String.valueOf(e.getMessage()));
        }
        return loaded;
    }

    /** Once for as long as it is the same. */
    private void complain(String why) {
        if (!why.equals(complaint)) {
            complaint = why;
            LOG.warn("{}: the files have changed, but what was read before stays in use: {}", files.setting(), why);
        }
    }

    private List<FileTime> times() {
        return Stream.concat(Stream.of(files.certificate(), files.key()), files.ca().stream())
                .map(Certificates::time)
                .toList();
    }

    private static FileTime time(Path file) {
        try {
            return Files.getLastModifiedTime(file);
        } catch (IOException e) {
            throw new UncheckedIOException(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    private Loaded load() {
        var chain = Pem.certificates(files.certificate());
        var key = Pem.key(files.key());
        requireValid(chain.getFirst());
        if (!Pem.belong(key, chain.getFirst())) {
            throw new IllegalArgumentException("%s: %s is not the key of the first certificate in %s"
                    .formatted(files.setting(), files.key(), files.certificate()));
        }
        try {
            var keys = keys(chain, key);
            var trust =
                    files.ca().isPresent() ? trust(Pem.certificates(files.ca().get())) : null;
            return new Loaded(context(keys, trust), keys, Optional.ofNullable(trust));
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalArgumentException(files.setting() + " is of no use: " + e.getMessage(), e);
        }
    }

    private void requireValid(X509Certificate certificate) {
        var from = certificate.getNotBefore().toInstant();
        var until = certificate.getNotAfter().toInstant();
        try {
            certificate.checkValidity();
        } catch (CertificateExpiredException | CertificateNotYetValidException e) {
            throw new IllegalArgumentException(
                    "%s: %s is valid from %s until %s, which is not now"
                            .formatted(files.setting(), files.certificate(), from, until),
                    e);
        }
        if (until.isBefore(Instant.now().plus(EXPIRES_SOON))) {
            LOG.warn("{}: {} expires at {}", files.setting(), files.certificate(), until);
        }
    }

    private static X509ExtendedKeyManager keys(List<X509Certificate> chain, PrivateKey key)
            throws GeneralSecurityException, IOException {
        var store = emptyStore();
        store.setKeyEntry(ALIAS, key, new char[0], chain.toArray(X509Certificate[]::new));
        var factory = KeyManagerFactory.getInstance("SunX509");
        factory.init(store, new char[0]);
        for (var manager : factory.getKeyManagers()) {
            if (manager instanceof X509ExtendedKeyManager keys) {
                return new OwnKey(() -> keys);
            }
        }
        throw new IllegalStateException("no key manager for X.509");
    }

    private static X509ExtendedTrustManager trust(List<X509Certificate> authorities)
            throws GeneralSecurityException, IOException {
        var store = emptyStore();
        for (int i = 0; i < authorities.size(); i++) {
            store.setCertificateEntry("ca-" + i, authorities.get(i));
        }
        var factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        for (var manager : factory.getTrustManagers()) {
            if (manager instanceof X509ExtendedTrustManager trust) {
                return trust;
            }
        }
        throw new IllegalStateException("no trust manager for X.509");
    }

    private SSLContext context(X509ExtendedKeyManager keys, @Nullable X509ExtendedTrustManager trust)
            throws GeneralSecurityException {
        var context = SSLContext.getInstance("TLS");
        context.init(
                new KeyManager[] {keys},
                trust == null ? null : new TrustManager[] {new ReportingTrust(() -> trust, refusals)},
                null);
        return context;
    }

    private static KeyStore emptyStore() throws GeneralSecurityException, IOException {
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }
}
