package dev.kvasir.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The alphabet of byte-level vocabularies: each byte has a printable letter, itself where it is printable Latin-1, else
 * one of the letters from U+0100 on in order (Radford et al., GPT-2).
 */
final class ByteLetters {
    private static final int LETTERS = 0x100 + 68;
    private static final short[] BYTE_OF_LETTER = table();

    private ByteLetters() {}

    /** The bytes that a piece stands for; a piece with other letters, as added tokens may have, is its own UTF-8. */
    static byte[] bytes(String piece) {
        byte[] bytes = new byte[piece.length()];
        for (int i = 0; i < bytes.length; i++) {
            char letter = piece.charAt(i);
            if (letter >= LETTERS || BYTE_OF_LETTER[letter] < 0) {
                return piece.getBytes(StandardCharsets.UTF_8);
            }
            bytes[i] = (byte) BYTE_OF_LETTER[letter];
        }
        return bytes;
    }

    private static short[] table() {
        short[] table = new short[LETTERS];
        Arrays.fill(table, (short) -1);
        int next = 0x100;
        for (int b = 0; b < 0x100; b++) {
            boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            table[printable ? b : next++] = (short) b;
        }
        return table;
    }
}
