package standin.database;

/** A released version of an application in the system database. */
public record Release(String application, int version, String digest) {}
