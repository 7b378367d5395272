#!/usr/bin/env bash
# package.sh [--output FILE] [--model DIR | --no-model] [--with-onednn]: packs a build into one archive that runs on Linux x86-64
# without Java: a runtime of the modules that are needed, our jars and their natives for that platform, and the demo model.
# Run by ./kvasir package, which builds first and sets JAVA_HOME.
set -euo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
output="$home/deploy/target/kvasir-linux-x86_64.tar.xz"
model="$home/model/demo"
onednn=
modules=java.base,java.instrument,java.logging,java.management,java.naming,java.net.http,java.security.jgss,java.security.sasl,java.sql,java.xml,jdk.attach,jdk.incubator.vector,jdk.jfr,jdk.management,jdk.net,jdk.unsupported,jdk.zipfs

usage() {
    echo "Usage: ./kvasir package [--output FILE] [--model DIR | --no-model] [--with-onednn]"
    echo "Packs runtime, jars, natives and the demo model into one archive for Linux x86-64 (default: $output)."
    echo "--with-onednn adds 15 MB for workers on CPUs that multiply bf16 (AMX, AVX-512 BF16): several times faster there, unused elsewhere."
}

while [ $# -gt 0 ]; do
    case $1 in
        --output) output=$(realpath -m "$2"); shift 2 ;;
        --model) model=$(realpath "$2"); shift 2 ;;
        --no-model) model=; shift ;;
        --with-onednn) onednn=true; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
for tool in tar xz; do
    command -v "$tool" >/dev/null || { echo "kvasir package: needs $tool" >&2; exit 1; }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/kvasir-package.XXXXXX")
trap 'rm -rf "$work"' EXIT
root="$work/kvasir"
mkdir -p "$root/lib" "$root/model"

echo "Linking a runtime ..."
# Left uncompressed: the archive compresses it better.
"$JAVA_HOME/bin/jlink" --add-modules "$modules" --strip-debug --no-header-files --no-man-pages --compress zip-0 \
    --output "$root/runtime"

# Natives keep the symbols that they are linked by, and lose those for debuggers (a runtime that crashes then names fewer of its functions).
strip_natives() {
    if command -v strip >/dev/null; then
        find "$1" -type f -name '*.so*' -exec strip --strip-unneeded {} +
    fi
}
strip_natives "$root/runtime"

# For distributed data that outlives processes, which Kvasir does not have.
left_out="lmdbjava-*.jar jnr-*.jar jffi-*.jar asm-*.jar"
[ -n "$onednn" ] || left_out="$left_out dnnl-*.jar opencl-*.jar"

# Natives of other platforms, headers and unused libraries go, and of Google's common messages all but those of gRPC's errors; jars are
# stored, for the same reason as above.
unwanted() {
    case $1 in
        *tokenizers-*) echo "native/lib/linux-aarch64 native/lib/osx-aarch64 native/lib/win-x86_64" ;;
        dnnl-*) echo "org/bytedeco/dnnl/linux-x86_64/include org/bytedeco/dnnl/linux-x86_64/libjnidnnl.so org/bytedeco/dnnl/linux-x86_64/share" ;;
        proto-google-common-protos-*) echo "com/google/api com/google/apps com/google/cloud com/google/geo com/google/logging com/google/longrunning com/google/shopping com/google/type google/api google/apps google/cloud google/geo google/logging google/longrunning google/shopping google/type" ;;
        jcuda-natives-*) echo "lib/libJNvPTXCompiler* lib/libJNvrtc* lib/libJCudaRuntime*" ;;
        grpc-netty-shaded-*) echo "META-INF/native/*osx* META-INF/native/*aarch_64* META-INF/native/*windows* META-INF/native/*.dll META-INF/native/*.jnilib" ;;
        jline-native-*) echo "org/jline/nativ/FreeBSD org/jline/nativ/Mac org/jline/nativ/Windows org/jline/nativ/Linux/arm* org/jline/nativ/Linux/ppc* org/jline/nativ/Linux/riscv* org/jline/nativ/Linux/x86" ;;
        jna-*) echo "com/sun/jna/aix* com/sun/jna/darwin* com/sun/jna/dragonfly* com/sun/jna/freebsd* com/sun/jna/linux-a* com/sun/jna/linux-l* com/sun/jna/linux-m* com/sun/jna/linux-p* com/sun/jna/linux-r* com/sun/jna/linux-s* com/sun/jna/linux-x86 com/sun/jna/openbsd* com/sun/jna/sunos* com/sun/jna/win32*" ;;
    esac
}
echo "Repacking jars ..."
for jar in "$home"/deploy/target/lib/*.jar; do
    name=$(basename "$jar")
    for pattern in $left_out; do
        # shellcheck disable=SC2053
        [[ $name != $pattern ]] || continue 2
    done
    rm -rf "$work/jar"
    mkdir "$work/jar"
    (
        cd "$work/jar"
        "$JAVA_HOME/bin/jar" xf "$jar"
        for pattern in $(unwanted "$name"); do
            # shellcheck disable=SC2086
            rm -rf $pattern
        done
        strip_natives .
        if [ -f META-INF/MANIFEST.MF ]; then
            mv META-INF/MANIFEST.MF "$work/manifest"
            "$JAVA_HOME/bin/jar" cf0m "$root/lib/$name" "$work/manifest" .
        else
            "$JAVA_HOME/bin/jar" cfM0 "$root/lib/$name" .
        fi
    ) 2>/dev/null
done

if [ -n "$model" ]; then
    cp -r "$model" "$root/model/demo"
    rm -f "$root"/model/demo/*.py
fi
cp "$home/LICENSE" "$home/README.md" "$root/"
cat >"$root/kvasir" <<'LAUNCHER'
#!/usr/bin/env bash
# Kvasir's launcher in a package: everything lies beside it.
#
#   KVASIR_JAVA_OPTS   more JVM flags, for example "-Xmx8g"
set -euo pipefail

home=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
case "${1:-}" in
    test | package)
        echo "kvasir: '$1' needs the sources; this is a package" >&2
        exit 2
        ;;
esac
export KVASIR_HOME="$home"
export OPT_OUT_TRACKING=true
# shellcheck disable=SC2086
exec "$home/runtime/bin/java" \
    --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
    -XX:+ExitOnOutOfMemoryError ${KVASIR_JAVA_OPTS:-} \
    -cp "$home/lib/*" dev.kvasir.deploy.Kvasir "$@"
LAUNCHER
chmod +x "$root/kvasir"

echo "Compressing $(du -sm "$root" | cut -f1) MB ..."
mkdir -p "$(dirname "$output")"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -cf - kvasir |
    xz -T0 --x86 "--lzma2=preset=${KVASIR_XZ_LEVEL:-6},dict=64MiB" >"$output"
echo "$output: $(du -m "$output" | cut -f1) MB"
