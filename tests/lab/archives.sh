#!/usr/bin/env bash
# Gets what the hosts install from files on the controller: the search engine from Maven Central, and the engine.
set -euo pipefail
cd "$(dirname "$0")/../.."

archives="$PWD/.cache/archives"
search_version=7.17.28
search_sha256=37004c9bd95165eb41b229204bbb9f311d8099d6db22ec22b2f019664f0a75ab
search_archive="$archives/elasticsearch-$search_version.zip"

mkdir -p "$archives"

checked() {
    echo "$search_sha256  $search_archive" | sha256sum --check --status 2> /dev/null
}

if ! checked; then
    work="$(mktemp -d "$archives/download.XXXXXX")"
    trap 'rm -rf "$work"' EXIT
    # In a directory without a pom.xml, so that no project's settings get in the way.
    (
        cd "$work"
        mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
            -Dartifact="org.elasticsearch.distribution.integ-test-zip:elasticsearch:$search_version:zip" \
            -DoutputDirectory="$work"
    )
    mv "$work/elasticsearch-$search_version.zip" "$search_archive"
    if ! checked; then
        echo "$search_archive has another SHA-256 than the one pinned here: $(sha256sum "$search_archive")" >&2
        rm -f "$search_archive"
        exit 1
    fi
    echo "Got Elasticsearch $search_version"
fi
if [ -n "${ENGINE_ARCHIVE:-}" ]; then
    if [ ! -f "$ENGINE_ARCHIVE" ]; then
        echo "ENGINE_ARCHIVE is $ENGINE_ARCHIVE, and there is no such file." >&2
        exit 1
    fi
    if [ ! -f "${ENGINE_LICENCE:-}" ]; then
        echo "A real engine needs a real licence: name its file in ENGINE_LICENCE." >&2
        exit 1
    fi
    echo "Taking the engine from $ENGINE_ARCHIVE"
fi

tests/engine_stand_in/pack.sh 11.3.0 "$archives"
if [ ! -f "$archives/demo.lic" ]; then
    # Room for a node to be added; the tests for the limit write a licence of their own.
    tests/engine_stand_in/make-licence.sh --nodes 5 --public-urls ivy.localhost "$archives/demo.lic"
fi
