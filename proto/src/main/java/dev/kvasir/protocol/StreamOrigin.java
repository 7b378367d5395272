package dev.kvasir.protocol;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import java.util.List;
import java.util.Map;

/**
 * What a router needs, besides request and tokens, to stream an answer that another router began. Workers keep it as bytes
 * without looking inside.
 *
 * @param promptText what {@code echo} repeats; empty where it was too long to be kept
 * @param door notes of the door that the request came in by
 */
public record StreamOrigin(
        String userRequestId,
        List<String> stop,
        boolean includeStop,
        boolean skipSpecialTokens,
        boolean echo,
        boolean reportPromptTokens,
        String promptText,
        Map<String, String> door) {
    public static final int BYTES_MAX = 64 * 1024;

    /** Longest prompt text that is kept: with the longest stop texts there is room beside it. */
    private static final int PROMPT_TEXT_MAX = 12 * 1024;

    public StreamOrigin {
        stop = List.copyOf(stop);
        door = Map.copyOf(door);
        promptText = promptText.length() > PROMPT_TEXT_MAX ? "" : promptText;
    }

    public ByteString toBytes() {
        var bytes = dev.kvasir.v1.cluster.StreamOrigin.newBuilder()
                .setUserRequestId(userRequestId)
                .addAllStop(stop)
                .setIncludeStop(includeStop)
                .setSkipSpecialTokens(skipSpecialTokens)
                .setEcho(echo)
                .setReportPromptTokens(reportPromptTokens)
                .setPromptText(promptText)
                .putAllDoor(door)
                .build()
                .toByteString();
        Limits.require(bytes.size() <= BYTES_MAX, "origin", bytes.size() + " bytes", "at most " + BYTES_MAX);
        return bytes;
    }

    /**
     * Reads what {@link #toBytes} wrote.
     *
     * @throws BadRequestException where the bytes are no origin
     */
    public static StreamOrigin of(ByteString bytes) {
        try {
            var wire = dev.kvasir.v1.cluster.StreamOrigin.parseFrom(bytes);
            return new StreamOrigin(
                    wire.getUserRequestId(),
                    wire.getStopList(),
                    wire.getIncludeStop(),
                    wire.getSkipSpecialTokens(),
                    wire.getEcho(),
                    wire.getReportPromptTokens(),
                    wire.getPromptText(),
                    wire.getDoorMap());
        } catch (InvalidProtocolBufferException e) {
            throw new BadRequestException("origin", "origin cannot be read: " + e.getMessage());
        }
    }
}
