#!/usr/bin/env bash
# Downloads the search engines from Maven Central and packs the stand-in engine. Hosts install both from the controller.
set -euo pipefail
cd "$(dirname "$0")/.."

archives="$PWD/.cache/archives"
mkdir -p "$archives"

# The product without its bundled Java, as its makers publish it for tests.
search_archive() {
    local product="$1" group="$2" version="$3" sha256="$4" file work
    file="$archives/$product-$version.zip"
    if echo "$sha256  $file" | sha256sum --check --status 2> /dev/null; then
        return 0
    fi
    work="$(mktemp -d "$archives/download.XXXXXX")"
    # In a directory without a pom.xml, so that no project's settings apply.
    (
        cd "$work"
        mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
            -Dartifact="$group.distribution.integ-test-zip:$product:$version:zip" \
            -DoutputDirectory="$work"
    ) || { rm -rf "$work"; return 1; }
    mv "$work/$product-$version.zip" "$file"
    rm -rf "$work"
    if ! echo "$sha256  $file" | sha256sum --check --status; then
        echo "The SHA-256 of $file differs from the one pinned here: $(sha256sum "$file")" >&2
        rm -f "$file"
        return 1
    fi
    echo "Downloaded $product $version"
}

search_archive elasticsearch org.elasticsearch 7.17.28 37004c9bd95165eb41b229204bbb9f311d8099d6db22ec22b2f019664f0a75ab
search_archive opensearch org.opensearch 2.18.0 f2c6be31052ff5ab2d98e95bdcb77b0dec923ba1742dfbb294b565410c4dee78
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
