package dev.kvasir.chaos.simulation;

import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.PrefixCacheProtocol;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.OutputEvent;
import java.util.List;

/** Messages in few words, for logs. */
final class Words {
    private Words() {}

    static String of(Object message) {
        return switch (message) {
            case WorkerProtocol.Generate generate ->
                "Generate %s attempt %x, %s known"
                        .formatted(
                                generate.request().id(),
                                generate.continuation().attempt(),
                                generate.continuation().outputs().stream()
                                        .map(known -> known.tokens().length)
                                        .toList());
            case WorkerProtocol.Claim claim -> "Claim %s attempt %x".formatted(claim.requestId(), claim.attempt());
            case WorkerProtocol.Cancel cancel ->
                "Cancel %s attempt %x %s".formatted(cancel.requestId(), cancel.attempt(), cancel.outputIndex());
            case WorkerProtocol.Again again ->
                "Again %s attempt %x from %s".formatted(again.requestId(), again.attempt(), again.next());
            case WorkerProtocol.Renew renew -> "Renew " + renew.sequence() + (renew.audit() ? " with audit" : "");
            case WorkerProtocol.Find find -> "Find " + find.requestId();
            case WorkerProtocol.Describe _ -> "Describe";
            case WorkerProtocol.Subscribe _ -> "Subscribe";
            case WorkerProtocol.Found found ->
                "Found "
                        + found.known()
                                .map(known -> "attempt %x".formatted(known.attempt()))
                                .orElse("nothing");
            case WorkerProtocol.Alive alive -> "Alive " + alive.sequence() + " " + alive.running();
            case WorkerProtocol.LoadReport load ->
                "Load %d: %d running, %d waiting, %d tokens, %d free"
                        .formatted(
                                load.epoch(),
                                load.runningSequences(),
                                load.waitingSequences(),
                                load.tokensInFlight(),
                                load.freeBlocks());
            case Delivery.Event(long attempt, var event) -> "attempt %x: %s".formatted(attempt, of(event));
            case StreamEvent.Tokens tokens ->
                "%s[%d] tokens from %d: %s"
                        .formatted(
                                tokens.requestId(),
                                tokens.outputIndex(),
                                tokens.firstTokenIndex(),
                                ids(tokens.tokens()));
            case StreamEvent.PromptScored scored ->
                "%s prompt scores from %d: %d"
                        .formatted(
                                scored.requestId(),
                                scored.first(),
                                scored.tokens().size());
            case Message.ToShard(var shard, var command) -> "to shard %s: %s".formatted(shard, of(command));
            case PrefixCacheProtocol.Publish publish ->
                "Publish of %s from %d: %d events"
                        .formatted(
                                publish.holder(),
                                publish.firstSequence(),
                                PrefixCacheProtocol.events(publish.changes()));
            case PrefixCacheProtocol.Contents contents ->
                "Contents of %s at %d, part %d of %d: %d blocks"
                        .formatted(
                                contents.holder(),
                                contents.sequence(),
                                contents.part(),
                                contents.parts(),
                                PrefixCacheProtocol.events(contents.blocks()));
            case PrefixCacheProtocol.Renew renew -> "Renew of %s at %d".formatted(renew.holder(), renew.sequence());
            case PrefixCacheProtocol.Follow follow ->
                "Follow of life %x from %s".formatted(follow.life(), positions(follow.known()));
            case PrefixCacheProtocol.IndexChanges changes ->
                "IndexChanges of life %x: %s, %d events"
                        .formatted(
                                changes.life(),
                                positions(List.of(changes.position())),
                                PrefixCacheProtocol.events(changes.changes()));
            case PrefixCacheProtocol.IndexContents contents ->
                "IndexContents of life %x: %s, part %d of %d, %d blocks"
                        .formatted(
                                contents.life(),
                                positions(List.of(contents.position())),
                                contents.part(),
                                contents.parts(),
                                PrefixCacheProtocol.events(contents.blocks()));
            case PrefixCacheProtocol.IndexCurrent current ->
                "IndexCurrent of life %x: %s".formatted(current.life(), positions(current.holders()));
            case Message.Said(var id, var event) -> "%s %s".formatted(id, of(event));
            case OutputEvent.Delta delta ->
                "[%d] from %d: %s %s"
                        .formatted(
                                delta.outputIndex(),
                                delta.firstTokenIndex(),
                                ids(delta.tokens()),
                                delta.finish() == null ? "" : delta.finish().toString());
            case OutputEvent.Started _ -> "started";
            case OutputEvent.Replayed(var event) -> "(replayed) " + of(event);
            default -> message.toString();
        };
    }

    private static List<String> positions(List<PrefixCacheProtocol.Position> positions) {
        return positions.stream()
                .map(position -> "%s at %d %s".formatted(position.holder(), position.sequence(), position.state()))
                .toList();
    }

    private static List<Integer> ids(List<ScoredToken> tokens) {
        return tokens.stream().map(ScoredToken::token).toList();
    }
}
