package dev.kvasir.protocol.tls;

import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Says in the log who was refused and why, once in a while however many try. */
final class Refusals {
    private static final Logger LOG = LoggerFactory.getLogger(Refusals.class);
    private static final long EVERY_NANOS = Duration.ofSeconds(5).toNanos();

    private final String setting;
    private final AtomicLong saidNanos = new AtomicLong(System.nanoTime() - EVERY_NANOS);
    private volatile @Nullable String last;

    /** @param setting name of the settings that the decision follows from */
    Refusals(String setting) {
        this.setting = setting;
    }

    /** @param from the other side's address, as far as it is known */
    void add(X509Certificate[] chain, String from, CertificateException reason) {
        var certificate = chain[0];
        var message = "refused a certificate%s of %s, issued by %s, valid until %s: %s"
                .formatted(
                        from,
                        certificate.getSubjectX500Principal(),
                        certificate.getIssuerX500Principal(),
                        certificate.getNotAfter().toInstant(),
                        rootCause(reason));
        last = message;
        long before = saidNanos.get();
        long now = System.nanoTime();
        if (now - before >= EVERY_NANOS && saidNanos.compareAndSet(before, now)) {
            LOG.warn("{}: {}", setting, message);
        }
    }

    Optional<String> last() {
        return Optional.ofNullable(last);
    }

    private static String rootCause(Throwable failure) {
        var cause = failure.getCause();
        return cause == null ? String.valueOf(failure.getMessage()) : rootCause(cause);
    }
}
