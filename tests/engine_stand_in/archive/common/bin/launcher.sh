#!/bin/sh
# Sourced by AxonIvyEngine and EngineConfigCli: finds the engine's directory and a Java installation.

ENGINE_DIR=$(dirname "$(dirname "$(readlink -f "$0")")")

find_java() {
  if [ -x "$ENGINE_DIR/jre/bin/java" ]; then
    echo "$ENGINE_DIR/jre/bin/java"
  elif [ -n "${IVY_JAVA_HOME:-}" ]; then
    echo "$IVY_JAVA_HOME/bin/java"
  elif [ -n "${JAVA_HOME:-}" ]; then
    echo "$JAVA_HOME/bin/java"
  else
    command -v java
  fi
}

JAVA=$(find_java) || true
if [ ! -x "${JAVA:-}" ]; then
  echo "No Java found: put a JRE into $ENGINE_DIR/jre, or set IVY_JAVA_HOME or JAVA_HOME." >&2
  exit 1
fi

# Java reads the files itself (it supports '#' comments), so the shell never splits an option's value.
# The names are relative to the engine's directory, which may have spaces in its name.
java_options() {
  for file in bin/jvm-module.options "$@"; do
    if [ -f "$ENGINE_DIR/$file" ]; then
      echo "@$file"
    fi
  done
}
