package standin.database;

import java.time.Instant;

/** A cluster node's entry in the system database. */
public record NodeEntry(String name, String address, int port, String state, String engineVersion, Instant changedAt) {}
