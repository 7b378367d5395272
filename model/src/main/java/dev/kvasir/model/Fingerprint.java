package dev.kvasir.model;

import dev.kvasir.model.config.Attention;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.weights.WeightSource;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * Names a model by what it computes: SHA-256 over its configuration, the angles its keys are rotated by, and its weights.
 * KV blocks are shared only between equal fingerprints.
 */
public final class Fingerprint {
    private final String hex;

    private Fingerprint(String hex) {
        this.hex = hex;
    }

    static Fingerprint of(ModelConfig config, WeightSource weights, int servedLength) {
        var digest = sha256();
        digest.update(config.toString().getBytes(StandardCharsets.UTF_8));
        for (var layer : config.layers()) {
            switch (layer.mixer()) {
                case Attention attention -> {
                    if (attention.rotary() != null) {
                        var frequencies = attention.rotary().inverseFrequencies(servedLength);
                        for (float frequency : frequencies) {
                            digest.update(Float.toString(frequency).getBytes(StandardCharsets.UTF_8));
                        }
                    }
                }
            }
        }
        weights.digestInto(digest);
        return new Fingerprint(HexFormat.of().formatHex(digest.digest()));
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /** 64 hexadecimal digits. */
    public String hex() {
        return hex;
    }

    /** 32 bytes. */
    public byte[] bytes() {
        return HexFormat.of().parseHex(hex);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Fingerprint fingerprint && fingerprint.hex.equals(hex);
    }

    @Override
    public int hashCode() {
        return hex.hashCode();
    }

    @Override
    public String toString() {
        return hex;
    }
}
