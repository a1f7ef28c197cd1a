#!/usr/bin/env bash
# Downloads the search engines and Tomcat from Maven Central and packs the stand-in engine.
set -euo pipefail
cd "$(dirname "$0")/.."

archives="$PWD/.cache/archives"
mkdir -p "$archives"

# Usage: download GROUP ARTIFACT VERSION EXTENSION SHA256
download() {
    local group="$1" artifact="$2" version="$3" extension="$4" sha256="$5" file work
    file="$archives/$artifact-$version.$extension"
    if echo "$sha256  $file" | sha256sum --check --status 2> /dev/null; then
        return 0
    fi
    work="$(mktemp -d "$archives/download.XXXXXX")"
    # In a directory without a pom.xml, so that no project's settings apply.
    (
        cd "$work"
        mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
            -Dartifact="$group:$artifact:$version:$extension" \
            -DoutputDirectory="$work"
    ) || { rm -rf "$work"; return 1; }
    mv "$work/$artifact-$version.$extension" "$file"
    rm -rf "$work"
    if ! echo "$sha256  $file" | sha256sum --check --status; then
        echo "The SHA-256 of $file differs from the one pinned here: $(sha256sum "$file")" >&2
        rm -f "$file"
        return 1
    fi
    echo "Downloaded $artifact $version"
}

# The products without their bundled Java, as their makers publish them for tests.
download org.elasticsearch.distribution.integ-test-zip elasticsearch 7.17.28 zip \
    37004c9bd95165eb41b229204bbb9f311d8099d6db22ec22b2f019664f0a75ab
download org.opensearch.distribution.integ-test-zip opensearch 2.18.0 zip \
    f2c6be31052ff5ab2d98e95bdcb77b0dec923ba1742dfbb294b565410c4dee78
if [ "${IVY_LAB_EVERY_TEST:-0}" = 1 ]; then
    # To update the search engine to.
    download org.elasticsearch.distribution.integ-test-zip elasticsearch 7.17.29 zip \
        841ee00be1a72ba8e707b5a2fb55f23fe7a4184369b4585393238b1c903eedaf
fi
# The engine's web server.
download org.apache.tomcat.embed tomcat-embed-core 9.0.83 jar \
    4ed404d5dea8652846f3c52c094764c2ec018f28a3561f1d27df700f7aa5b376
download org.apache.tomcat tomcat-annotations-api 9.0.83 jar \
    565926710d1916116d64f04593d2b8eca352180f3a7797cf7b6c948b40543a8c
if [ -n "${ENGINE_ARCHIVE:-}" ]; then
    if [ ! -f "$ENGINE_ARCHIVE" ]; then
        echo "ENGINE_ARCHIVE: file not found: $ENGINE_ARCHIVE" >&2
        exit 1
    fi
    if [ ! -f "${ENGINE_LICENCE:-}" ]; then
        echo "A real engine needs a licence. Set ENGINE_LICENCE to its file." >&2
        exit 1
    fi
    echo "Using the engine in $ENGINE_ARCHIVE"
fi

for version in 11.3.0 12.0.9 10.0.20; do
    tests/engine_stand_in/pack.sh "$version" "$archives"
done
if [ ! -f "$archives/demo.lic" ]; then
    # Leaves room for added nodes; the tests of the limit create their own licence.
    tests/engine_stand_in/make-licence.sh --nodes 5 --public-urls ivy.localhost "$archives/demo.lic"
fi
if [ ! -f "$archives/debian13.lic" ]; then
    # A licence is valid for one major version.
    tests/engine_stand_in/make-licence.sh --engine-version 12.0.9 --nodes 5 --public-urls ivy.localhost "$archives/debian13.lic"
fi
