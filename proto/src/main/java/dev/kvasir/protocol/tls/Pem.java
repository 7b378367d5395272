package dev.kvasir.protocol.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.NoSuchAlgorithmException;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** Reads PEM files; what is of no use is refused with the file and the reason. */
final class Pem {
    private static final long BYTES_MAX = 1 << 20;
    private static final String KEY_BEGIN = "-----BEGIN PRIVATE KEY-----";
    private static final String KEY_END = "-----END PRIVATE KEY-----";
    private static final List<String> ALGORITHMS = List.of("EC", "RSA", "EdDSA");

    private Pem() {}

    /** All certificates of a file, at least one. */
    static List<X509Certificate> certificates(Path file) {
        var bytes = bytes(file);
        try (var in = new ByteArrayInputStream(bytes)) {
            var certificates = new ArrayList<X509Certificate>();
            for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                certificates.add((X509Certificate) certificate);
            }
            if (certificates.isEmpty()) {
                throw new IllegalArgumentException(file + " has no certificate in it, but must begin with one in PEM");
            }
            return certificates;
        } catch (CertificateException | IOException e) {
            throw new IllegalArgumentException(file + " is no certificate in PEM: " + e.getMessage(), e);
        }
    }

    /** The key of a file. */
    static PrivateKey key(Path file) {
        var text = new String(bytes(file), StandardCharsets.ISO_8859_1);
        int begin = text.indexOf(KEY_BEGIN);
        int end = text.indexOf(KEY_END, Math.max(0, begin));
        if (begin < 0 || end < 0) {
            throw new IllegalArgumentException(
                    file + " has no line '" + KEY_BEGIN + "' but must be a key in PKCS #8 without a password,"
                            + " as 'openssl pkcs8 -topk8 -nocrypt' writes it");
        }
        try {
            var spec = new PKCS8EncodedKeySpec(
                    Base64.getMimeDecoder().decode(text.substring(begin + KEY_BEGIN.length(), end)));
            for (var algorithm : ALGORITHMS) {
                try {
                    return KeyFactory.getInstance(algorithm).generatePrivate(spec);
                } catch (InvalidKeySpecException _) {
                    // The next one's then.
                }
            }
        } catch (NoSuchAlgorithmException | IllegalArgumentException e) {
            throw new IllegalArgumentException(file + " is no key in PEM: " + e.getMessage(), e);
        }
        throw new IllegalArgumentException(file + " is no key of the kinds " + String.join(", ", ALGORITHMS));
    }

    /** Whether key and certificate belong together, shown by a signature. */
    static boolean belong(PrivateKey key, X509Certificate certificate) {
        var algorithm = switch (key.getAlgorithm()) {
            case "EC" -> "SHA256withECDSA";
            case "RSA" -> "SHA256withRSA";
            default -> key.getAlgorithm();
        };
        try {
            var message = certificate.getEncoded();
            var signing = Signature.getInstance(algorithm);
            signing.initSign(key);
            signing.update(message);
            var verifying = Signature.getInstance(algorithm);
            verifying.initVerify(certificate.getPublicKey());
            verifying.update(message);
            return verifying.verify(signing.sign());
        } catch (GeneralSecurityException _) {
            return false;
        }
    }

    private static byte[] bytes(Path file) {
        try {
            if (Files.size(file) > BYTES_MAX) {
                throw new IllegalArgumentException(
                        file + " has " + Files.size(file) + " bytes but a PEM file may have " + BYTES_MAX);
            }
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(file + " cannot be read: " + e.getMessage(), e);
        }
    }
}
