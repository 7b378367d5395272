package dev.kvasir.protocol.tls;

import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/**
 * The one key that there is, whoever the other side says that it believes: a certificate of another authority is shown, so
 * that the other side refuses it by name rather than for the lack of one.
 */
final class OwnKey extends X509ExtendedKeyManager {
    private final Supplier<X509ExtendedKeyManager> delegate;

    /** @param delegate asked again each time */
    OwnKey(Supplier<X509ExtendedKeyManager> delegate) {
        this.delegate = delegate;
    }

    @Override
    public String @Nullable [] getClientAliases(String type, Principal @Nullable [] issuers) {
        return delegate.get().getClientAliases(type, null);
    }

    @Override
    public @Nullable String chooseClientAlias(String[] types, Principal @Nullable [] issuers, @Nullable Socket socket) {
        return delegate.get().chooseClientAlias(types, null, socket);
    }

    @Override
    public @Nullable String chooseEngineClientAlias(
            String[] types, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
        return delegate.get().chooseEngineClientAlias(types, null, engine);
    }

    @Override
    public String @Nullable [] getServerAliases(String type, Principal @Nullable [] issuers) {
        return delegate.get().getServerAliases(type, null);
    }

    @Override
    public @Nullable String chooseServerAlias(String type, Principal @Nullable [] issuers, @Nullable Socket socket) {
        return delegate.get().chooseServerAlias(type, null, socket);
    }

    @Override
    public @Nullable String chooseEngineServerAlias(
            String type, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
        return delegate.get().chooseEngineServerAlias(type, null, engine);
    }

    @Override
    public X509Certificate @Nullable [] getCertificateChain(String alias) {
        return delegate.get().getCertificateChain(alias);
    }

    @Override
    public @Nullable PrivateKey getPrivateKey(String alias) {
        return delegate.get().getPrivateKey(alias);
    }
}
