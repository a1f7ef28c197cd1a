package standin.database;

import java.time.Instant;

/** A cluster node as the system database knows it. */
public record NodeEntry(String name, String address, int port, String state, String engineVersion, Instant changedAt) {}
