#!/usr/bin/env bash
# Makes the package, uses it from a small program, and does so again with the program published: compiled ahead of time
# where the tools for that are to be had, trimmed otherwise.
set -euo pipefail
cd "$(dirname "$0")"

version=0.0.0-smoke
packages="$PWD/obj/packages"
published="$PWD/obj/published"
rid=$(dotnet msbuild -getProperty:NETCoreSdkPortableRuntimeIdentifier)
use=(-p:StorageCacheVersion="$version" -p:StorageCachePackages="$packages")

pack=(dotnet pack ../../src/StorageCache -c Release -o "$packages" -p:Version="$version" -v q)

# Stands for what another machine has built; nothing here runs it.
prebuilt="$PWD/obj/prebuilt"
other=linux-arm64
[ "$rid" != "$other" ] || other=linux-x64

rm -rf "$packages" "$published" "$prebuilt"
mkdir -p "$prebuilt/$other/native"
echo "$other" >"$prebuilt/$other/native/libstoragecache_native.so"
"${pack[@]}" -p:StorageCacheNativePrebuilt="$prebuilt"
for platform in "$rid" "$other"; do
    # The names of a package's files stand in it as they are.
    grep -aq "runtimes/$platform/native/libstoragecache_native.so" "$packages/StorageCache.$version.nupkg" \
        || { echo "The package has no native library for $platform."; exit 1; }
done

if refusal=$("${pack[@]}" --no-build -p:StorageCacheNativePrebuilt="$prebuilt/none") || [[ $refusal != *"There is no RID/native/"* ]]; then
    echo "A folder without libraries was not refused: $refusal"
    exit 1
fi

# Restored packages are kept by version, and this version is made anew every time.
cache=$(dotnet nuget locals global-packages --list | sed 's/^[^:]*: *//')
rm -rf "${cache:?}/storagecache/$version"

dotnet run -c Release "${use[@]}"

# Publishing ahead of time needs the linker and zlib's headers.
if echo '#include <zlib.h>' | cc -E - >/dev/null 2>&1; then
    dotnet publish -c Release -r "$rid" -o "$published" "${use[@]}" -p:PublishAot=true -p:CppCompilerAndLinker=gcc -v q
else
    dotnet publish -c Release -r "$rid" -o "$published" "${use[@]}" -p:PublishTrimmed=true --self-contained -v q
fi
"$published/PackageSmoke"
